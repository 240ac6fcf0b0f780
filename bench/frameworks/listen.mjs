// Baselines: each framework under plain node, started as in its own documentation.
import { serve } from "@hono/node-server";

const [name, port] = process.argv.slice(2);
const { app } = await import(`./${name}.mjs`);
const options = { port: Number(port), hostname: "127.0.0.1" };
if (name === "express") app.listen(options.port, options.hostname);
if (name === "fastify") await app.listen({ port: options.port, host: options.hostname });
if (name === "hono") serve({ fetch: app.fetch, ...options });
