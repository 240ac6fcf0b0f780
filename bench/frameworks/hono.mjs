import { Hono } from "hono";

export const app = new Hono();
app.get("/hello", (context) => context.text("Hello, world\n"));
app.post("/hello", async (context) => context.json(await context.req.json()));
