import { contentOf, HUNDRED_MEGABYTES, hundredMegabytes, pieces } from "./content.mjs";

const BYTES = "application/octet-stream";

function streamOf(source) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
    },
  });
}

const ROUTES = {
  "/pieces": () => new Response(streamOf(pieces()), { headers: { "content-type": "text/plain" } }),
  "/100m": () =>
    new Response(streamOf(hundredMegabytes()), {
      headers: { "content-type": BYTES, "content-length": `${HUNDRED_MEGABYTES}` },
    }),
  async "/post"(request) {
    const { items } = await request.json();
    return Response.json({ ok: true, items: items.length });
  },
  async "/upload"(request) {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    return new Response(`${length}`, { headers: { "content-type": "text/plain" } });
  },
};

export const app = {
  fetch(request) {
    const path = request.url.slice(request.url.indexOf("/", 8));
    const route = ROUTES[path];
    if (route !== undefined) return route(request);
    const content = contentOf(path);
    if (content === undefined) return new Response("not found", { status: 404 });
    return new Response(content, { headers: { "content-type": BYTES } });
  },
};
