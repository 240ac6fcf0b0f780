// An app of Express or Fastify that listens, as in each framework's own documentation. FRAMEWORK names it.
const { FRAMEWORK, PORT } = process.env;
const { app } = await import(`../frameworks/${FRAMEWORK}.mjs`);
if (FRAMEWORK === "fastify") await app.listen({ port: Number(PORT), host: "127.0.0.1" });
else app.listen(Number(PORT), "127.0.0.1");
