// The baseline of bench:balance: a pool on node:cluster, which passes connections on in turns.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { listener } from "./app.mjs";

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  for (let count = 0; count < workers; count += 1) cluster.fork();
  process.on("SIGTERM", () => cluster.disconnect(() => process.exit()));
} else createServer({ keepAliveTimeout: 60_000 }, listener).listen(port, "127.0.0.1");
