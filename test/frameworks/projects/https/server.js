const { createHash } = require("node:crypto");
const { createServer } = require("node:https");
const { readFileSync } = require("node:fs");
const { json } = require("node:stream/consumers");

const TLS = { key: readFileSync("key.pem"), cert: readFileSync("cert.pem") };

const server = createServer(TLS, async (req, res) => {
  if (req.url === "/") res.end(`raw page ${process.pid}`);
  else if (req.url === "/echo") res.end(JSON.stringify({ text: (await json(req)).text, pid: process.pid }));
  else if (req.url === "/upload") {
    const hash = createHash("sha256");
    for await (const piece of req) hash.update(piece);
    res.end(hash.digest("hex"));
  } else {
    let number = 0;
    const timer = setInterval(() => {
      number += 1;
      res.write(`piece ${number}\n`);
      if (number < 5) return;
      clearInterval(timer);
      res.end();
    }, 100);
  }
});

server.listen(process.env.PORT ?? 8443);

process.on("SIGTERM", () => server.close(() => console.log("shutdown hook of the server")));
