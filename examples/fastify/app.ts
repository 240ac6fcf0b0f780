/** A typical Fastify app: plugins for compression, cookies, forms and uploads, a schema, streams and errors. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import compress from "@fastify/compress";
import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import multipart from "@fastify/multipart";
import createFastify, { type FastifyPluginCallback } from "fastify";

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

export const app = createFastify();
app.register(compress);
app.register(cookie);
app.register(formbody);
app.register(multipart, { limits: { fileSize: 100_000_000 } });
// Stream files instead of buffering them.
app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

const NOTES_QUERY = { type: "object", properties: { limit: { type: "integer", minimum: 1 } } };

const routes: FastifyPluginCallback = (app, _options, done) => {
  app.get("/", (request, reply) => {
    const name = request.cookies.name ?? "stranger";
    reply
      .type("text/html; charset=utf-8")
      .send(`<!doctype html><title>Notes</title><h1>Hello, ${name}!</h1>\n`);
  });

  app.get<{ Querystring: { limit?: number } }>(
    "/notes",
    { schema: { querystring: NOTES_QUERY } },
    (request) => NOTES.slice(0, request.query.limit).map((text, index) => ({ id: index + 1, text })),
  );

  app.post<{ Body: { text: string } }>("/notes", (request, reply) => {
    reply.code(201).send({ id: NOTES.length + 1, text: request.body.text });
  });

  app.post<{ Body: { name: string } }>("/login", (request, reply) => {
    reply.setCookie("name", request.body.name, { path: "/", httpOnly: true });
    reply.setCookie("theme", "dark", { path: "/", maxAge: 86_400 });
    reply.redirect("/", 303);
  });

  app.get("/old", (_request, reply) => {
    reply.redirect("/", 301);
  });

  app.post("/upload", async (request) => {
    let title: unknown;
    for await (const part of request.parts()) {
      if (part.type === "field") title = part.value;
      else return { title, name: part.filename, ...(await digest(part.file)) };
    }
    return { title };
  });

  app.put<{ Params: { name: string }; Body: Readable }>("/files/:name", async (request) => ({
    name: request.params.name,
    ...(await digest(request.body)),
  }));

  app.get<{ Querystring: { to: string; pause?: string } }>("/numbers", (request, reply) => {
    const { to, pause = 0 } = request.query;
    reply.type("text/plain").send(Readable.from(numbers(Number(to), Number(pause))));
  });

  app.get("/report", (_request, reply) => {
    reply.type("text/plain").send("All is well.\n".repeat(2000));
  });

  app.get("/fail", () => {
    throw new Error("no such luck");
  });

  done();
};

// Register after the plugins, which affect later routes only.
app.register(routes);

async function digest(content: Readable): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest("hex") };
}

async function* numbers(to: number, milliseconds: number): AsyncGenerator<string> {
  for (let number = 1; number <= to; number += 1) {
    yield `${number}\n`;
    if (milliseconds > 0) await pause(milliseconds);
  }
}
