// A fetch app under @hono/node-server, as in Hono's documentation. APP is its module.
import { serve } from "@hono/node-server";

const { APP, PORT } = process.env;
const { app } = await import(APP);
serve({ fetch: app.fetch, port: Number(PORT), hostname: "127.0.0.1" });
