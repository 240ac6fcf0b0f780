import { Hono } from "hono";

export const app = new Hono();
app.get("/hello", (context) => context.text("Hello, world\n"));
