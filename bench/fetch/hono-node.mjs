// The baseline: the same app under plain node, started as in Hono's documentation.
import { serve } from "@hono/node-server";
import { app } from "./hono.mjs";

serve({ fetch: app.fetch, port: Number(process.argv[2]), hostname: "127.0.0.1" });
