/** Program of a worker process. */
import { executionAsyncResource } from "node:async_hooks";

// Signals to the arbiter may reach the whole process group and must not end or stop a worker. Without a listener
// SIGUSR1 opens a debugger port. Listen before anything else is loaded.
for (const command of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTTIN", "SIGTTOU"]) process.on(command, () => {});

// Keeps one of the objects that `process.nextTick` queues: the resource of a queued call. V8 optimises the making of such
// objects for the hidden class that it has seen first, but refers to that weakly (Node 20 to 24). When a few major
// collections have found the queue empty, as they do while an app loads or is idle, the class is freed, and from then on
// each call costs 220 ns instead of 40: Fastify makes seven for a request. While one object lives, so does its class.
const kept: object[] = [];
process.nextTick(() => kept.push(executionAsyncResource()));

const { runWorker } = await import("./worker.ts");
runWorker();
