import express from "express";

export const app = express();
app.get("/hello", (_request, response) => response.type("text").send("Hello, world\n"));
app.post("/post", express.json(), ({ body }, response) =>
  response.json({ ok: true, items: body.items.length }),
);
