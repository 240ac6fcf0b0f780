// The app listens, as in Fastify's documentation.
import { app } from "./app.mjs";

await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
