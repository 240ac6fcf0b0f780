const { createHash } = require("node:crypto");
const express = require("express");

const app = express();
const port = 3000;

app.use(express.json());

app.get("/", (_req, res) => {
  res.send(`Express page ${process.pid}`);
});

app.post("/echo", (req, res) => {
  res.json({ text: req.body.text, pid: process.pid });
});

app.post("/upload", async (req, res) => {
  const hash = createHash("sha256");
  for await (const piece of req) hash.update(piece);
  res.send(hash.digest("hex"));
});

app.get("/stream", (_req, res) => {
  let number = 0;
  const timer = setInterval(() => {
    number += 1;
    res.write(`piece ${number}\n`);
    if (number < 5) return;
    clearInterval(timer);
    res.end();
  }, 100);
});

const server = app.listen(port, () => {
  console.log(`Example app listening on port ${port}`);
});

process.on("SIGTERM", () => {
  server.close(() => {
    console.log("shutdown hook of the server");
  });
});
