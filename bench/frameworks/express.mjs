import express from "express";

export const app = express();
app.get("/hello", (_request, response) => response.type("text").send("Hello, world\n"));
app.post("/hello", express.json(), (request, response) => response.json(request.body));
