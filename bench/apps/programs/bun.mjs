// A fetch app under Bun.serve. APP is its module.
const { APP, PORT } = process.env;
const { app } = await import(APP);
// idleTimeout is in seconds; 255 is the most that Bun takes.
globalThis.Bun.serve({ fetch: app.fetch, port: Number(PORT), hostname: "127.0.0.1", idleTimeout: 255 });
