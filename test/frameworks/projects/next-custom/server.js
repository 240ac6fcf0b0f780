const { createServer } = require("node:http");
const next = require("next");

const port = Number.parseInt(process.env.PORT || "3000", 10);
const app = next({ dev: false });
const handle = app.getRequestHandler();

app.prepare().then(() => {
  const server = createServer((req, res) => {
    handle(req, res);
  }).listen(port, () => {
    console.log(`> Server listening at http://localhost:${port}`);
  });
  process.on("SIGTERM", () => {
    server.close(async () => {
      await app.close();
      console.log("shutdown hook of the custom server");
    });
  });
});
