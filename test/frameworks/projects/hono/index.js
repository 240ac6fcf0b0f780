import { createHash } from "node:crypto";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamText } from "hono/streaming";

const app = new Hono();

app.get("/", (c) => c.text(`Hono page ${process.pid}`));
app.post("/echo", async (c) => c.json({ text: (await c.req.json()).text, pid: process.pid }));
app.post("/upload", async (c) => {
  const hash = createHash("sha256");
  for await (const piece of c.req.raw.body) hash.update(piece);
  return c.text(hash.digest("hex"));
});
app.get("/stream", (c) =>
  streamText(c, async (stream) => {
    for (let number = 1; number <= 5; number += 1) {
      await stream.writeln(`piece ${number}`);
      await stream.sleep(100);
    }
  }),
);

const server = serve(app);

process.on("SIGTERM", () => {
  server.close((error) => {
    console.log("shutdown hook of the server");
    process.exit(error ? 1 : 0);
  });
});
