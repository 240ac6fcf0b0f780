import createFastify from "fastify";

export const app = createFastify();
app.get("/hello", () => "Hello, world\n");
app.post("/post", ({ body }) => ({ ok: true, items: body.items.length }));
