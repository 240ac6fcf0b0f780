/** A typical Koa app: middleware for compression and forms, a router, uploads, cookies, streams and errors. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { bodyParser } from "@koa/bodyparser";
import multer from "@koa/multer";
import Router from "@koa/router";
import Koa from "koa";
import compress from "koa-compress";

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

export const app = new Koa();
const router = new Router();
app.use(compress());
app.use(bodyParser());
app.use(router.routes());
app.use(router.allowedMethods());

router.get("/", (context) => {
  const name = context.cookies.get("name") ?? "stranger";
  context.body = `<!doctype html><title>Notes</title><h1>Hello, ${name}!</h1>\n`;
});

router.get("/notes", (context) => {
  const limit = Number(context.query.limit ?? NOTES.length);
  context.body = NOTES.slice(0, limit).map((text, index) => ({ id: index + 1, text }));
});

router.post("/notes", (context) => {
  const { text } = context.request.body as { text: string };
  context.status = 201;
  context.body = { id: NOTES.length + 1, text };
});

router.post("/login", (context) => {
  const { name } = context.request.body as { name: string };
  context.cookies.set("name", name);
  context.cookies.set("theme", "dark", { httpOnly: false, maxAge: 86_400_000 });
  context.status = 303;
  context.redirect("/");
});

router.get("/old", (context) => {
  context.status = 301;
  context.redirect("/");
});

router.post("/upload", multer().single("file"), (context) => {
  const { originalname, size, buffer } = context.file;
  const { title } = context.request.body as { title: string };
  const sha256 = createHash("sha256").update(buffer).digest("hex");
  context.body = { title, name: originalname, size, sha256 };
});

router.put("/files/:name", async (context) => {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of context.req) {
    hash.update(chunk);
    size += chunk.length;
  }
  context.body = { name: context.params.name, size, sha256: hash.digest("hex") };
});

router.get("/numbers", (context) => {
  const { to, pause = 0 } = context.query;
  context.type = "text/plain";
  context.body = Readable.from(numbers(Number(to), Number(pause)));
});

router.get("/report", (context) => {
  context.type = "text/plain";
  context.body = "All is well.\n".repeat(2000);
});

router.get("/fail", () => {
  throw new Error("no such luck");
});

async function* numbers(to: number, milliseconds: number): AsyncGenerator<string> {
  for (let number = 1; number <= to; number += 1) {
    yield `${number}\n`;
    if (milliseconds > 0) await pause(milliseconds);
  }
}
