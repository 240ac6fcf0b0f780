/** A typical Express app: compression, forms, uploads, cookies, streams and Express's own error responses. */
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import compression from "compression";
import express from "express";
import multer from "multer";

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

export const app = express();
app.use(compression());
app.use(express.json());
app.use(express.urlencoded());

app.get("/", (request, response) => {
  const name = /(?:^|; )name=(\w+)/.exec(request.get("cookie") ?? "")?.[1] ?? "stranger";
  response.send(`<!doctype html><title>Notes</title><h1>Hello, ${name}!</h1>\n`);
});

app.get("/notes", (request, response) => {
  const limit = Number(request.query.limit ?? NOTES.length);
  response.json(NOTES.slice(0, limit).map((text, index) => ({ id: index + 1, text })));
});

app.post("/notes", (request, response) => {
  response.status(201).json({ id: NOTES.length + 1, text: request.body.text });
});

app.post("/login", (request, response) => {
  response.cookie("name", request.body.name, { httpOnly: true });
  response.cookie("theme", "dark", { maxAge: 86_400_000 });
  response.redirect(303, "/");
});

app.get("/old", (_request, response) => response.redirect(301, "/"));

app.post("/upload", multer().single("file"), (request, response) => {
  const { originalname, size, buffer } = request.file as Express.Multer.File;
  const sha256 = createHash("sha256").update(buffer).digest("hex");
  response.json({ title: request.body.title, name: originalname, size, sha256 });
});

app.put("/files/:name", async (request, response) => {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    size += chunk.length;
  }
  response.json({ name: request.params.name, size, sha256: hash.digest("hex") });
});

app.get("/numbers", async (request, response) => {
  response.type("text/plain");
  await pipeline(numbers(Number(request.query.to), Number(request.query.pause ?? 0)), response);
});

app.get("/report", (_request, response) => {
  response.type("text/plain").send("All is well.\n".repeat(2000));
});

app.get("/fail", () => {
  throw new Error("no such luck");
});

async function* numbers(to: number, milliseconds: number): AsyncGenerator<string> {
  for (let number = 1; number <= to; number += 1) {
    yield `${number}\n`;
    if (milliseconds > 0) await pause(milliseconds);
  }
}
