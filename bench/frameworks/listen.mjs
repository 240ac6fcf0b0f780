// A program that listens, as in each framework's own documentation: started by node, or adopted by tsgun.
import { serve } from "@hono/node-server";

const { FRAMEWORK: name, PORT: port } = process.env;
const { app } = await import(`./${name}.mjs`);
const options = { port: Number(port), hostname: "127.0.0.1" };
if (name === "express") app.listen(options.port, options.hostname);
if (name === "fastify") await app.listen({ port: options.port, host: options.hostname });
if (name === "hono") serve({ fetch: app.fetch, ...options });
