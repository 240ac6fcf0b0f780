import express from "express";
import { CONTENT, compute, query } from "./work.mjs";

// Express, with which most people meet this.
export const listener = express();
listener.get("/compute", (_request, response) => {
  compute();
  response.type("text").send(CONTENT);
});
listener.get("/query", async (_request, response) => {
  await query();
  response.type("text").send(CONTENT);
});
