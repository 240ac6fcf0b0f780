/** A typical Hono app, on fetch's Request and Response: compression, forms, uploads, cookies, streams, errors. */
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { getCookie, setCookie } from "hono/cookie";
import { stream } from "hono/streaming";

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

export const app = new Hono();
app.use(compress());

app.get("/", (context) => {
  const name = getCookie(context, "name") ?? "stranger";
  return context.html(`<!doctype html><title>Notes</title><h1>Hello, ${name}!</h1>\n`);
});

app.get("/notes", (context) => {
  const limit = Number(context.req.query("limit") ?? NOTES.length);
  return context.json(NOTES.slice(0, limit).map((text, index) => ({ id: index + 1, text })));
});

app.post("/notes", async (context) => {
  const { text } = await context.req.json<{ text: string }>();
  return context.json({ id: NOTES.length + 1, text }, 201);
});

app.post("/login", async (context) => {
  const { name } = await context.req.parseBody<{ name: string }>();
  setCookie(context, "name", name, { httpOnly: true });
  setCookie(context, "theme", "dark", { maxAge: 86_400 });
  return context.redirect("/", 303);
});

app.get("/old", (context) => context.redirect("/", 301));

app.post("/upload", async (context) => {
  const { title, file } = await context.req.parseBody<{ title: string; file: File }>();
  const sha256 = createHash("sha256")
    .update(new Uint8Array(await file.arrayBuffer()))
    .digest("hex");
  return context.json({ title, name: file.name, size: file.size, sha256 });
});

app.put("/files/:name", async (context) => {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of context.req.raw.body ?? []) {
    hash.update(chunk);
    size += chunk.length;
  }
  return context.json({ name: context.req.param("name"), size, sha256: hash.digest("hex") });
});

app.get("/numbers", (context) => {
  const { to, pause: milliseconds = 0 } = context.req.query();
  context.header("content-type", "text/plain");
  return stream(context, async (writer) => {
    for (let number = 1; number <= Number(to) && !writer.aborted; number += 1) {
      await writer.write(`${number}\n`);
      if (Number(milliseconds) > 0) await pause(Number(milliseconds));
    }
  });
});

app.get("/report", (context) => context.text("All is well.\n".repeat(2000)));

app.get("/fail", () => {
  throw new Error("no such luck");
});
