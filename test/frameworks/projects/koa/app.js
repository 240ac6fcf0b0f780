const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const { json } = require("node:stream/consumers");
const { setTimeout: pause } = require("node:timers/promises");
const Koa = require("koa");

const app = new Koa();

async function* pieces() {
  for (let number = 1; number <= 5; number += 1) {
    yield `piece ${number}\n`;
    await pause(100);
  }
}

app.use(async (ctx) => {
  if (ctx.path === "/") ctx.body = `Koa page ${process.pid}`;
  if (ctx.path === "/echo") ctx.body = { text: (await json(ctx.req)).text, pid: process.pid };
  if (ctx.path === "/upload") {
    const hash = createHash("sha256");
    for await (const piece of ctx.req) hash.update(piece);
    ctx.body = hash.digest("hex");
  }
  if (ctx.path === "/stream") {
    ctx.type = "text";
    ctx.body = Readable.from(pieces());
  }
});

const server = app.listen(3000);

process.on("SIGTERM", () => server.close(() => console.log("shutdown hook of the server")));
