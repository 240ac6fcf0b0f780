import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import Fastify from "fastify";

const fastify = Fastify({ logger: false });

fastify.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));
fastify.get("/", async () => `Fastify page ${process.pid}`);
fastify.post("/echo", async (request) => ({ text: request.body.text, pid: process.pid }));
fastify.post("/upload", async (request) => {
  const hash = createHash("sha256");
  for await (const piece of request.body) hash.update(piece);
  return hash.digest("hex");
});
fastify.get("/stream", async (_request, reply) => {
  async function* pieces() {
    for (let number = 1; number <= 5; number += 1) {
      yield `piece ${number}\n`;
      await pause(100);
    }
  }
  return reply.type("text/plain").send(Readable.from(pieces()));
});
fastify.addHook("onClose", async () => console.log("shutdown hook of Fastify"));

try {
  await fastify.listen({ port: 3000 });
} catch (error) {
  fastify.log.error(error);
  process.exit(1);
}

process.on("SIGTERM", () => fastify.close());
