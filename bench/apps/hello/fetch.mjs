export const app = {
  fetch: () => new Response("Hello, world\n", { headers: { "content-type": "text/plain; charset=utf-8" } }),
};
