import { block, contentOf, HUNDRED_MEGABYTES, hundredMegabytes, pieces } from "./content.mjs";

const TEXT = { "content-type": "text/plain" };
const BYTES = "application/octet-stream";

const ROUTES = {
  "/pieces": (_request, respond) => respond(200, TEXT, pieces()),
  "/100m": (_request, respond) =>
    respond(200, { "content-type": BYTES, "content-length": `${HUNDRED_MEGABYTES}` }, hundredMegabytes()),
  "/pid": (_request, respond) => respond(200, TEXT, `${process.pid}`),
  "/block": (request, respond) => {
    block(Number(request.query));
    respond(200, TEXT, "done");
  },
  async "/post"(request, respond) {
    const { items } = await request.body.json();
    respond(200, { "content-type": "application/json" }, JSON.stringify({ ok: true, items: items.length }));
  },
  async "/upload"(request, respond) {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    respond(200, TEXT, `${length}`);
  },
};

export const handler = (request, respond) => {
  const route = ROUTES[request.path];
  if (route !== undefined) return route(request, respond);
  const content = contentOf(request.path);
  if (content === undefined) return respond(404, TEXT, "not found");
  respond(200, { "content-type": BYTES }, content);
};
