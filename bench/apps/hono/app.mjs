import { Hono } from "hono";
import { stream } from "hono/streaming";

export const app = new Hono();
app.get("/hello", (context) => context.text("Hello, world\n"));
app.get("/json", (context) => context.json({ ok: true, agent: context.req.header("user-agent") }));
app.post("/post", async (context) => {
  const { items } = await context.req.json();
  return context.json({ ok: true, items: items.length });
});
app.get("/stream", (context) =>
  stream(context, async (output) => {
    for (let piece = 0; piece < 100; piece += 1) await output.write(`piece ${piece} of the answer\n`);
  }),
);
