/** The program of a worker process. */
// Without a listener SIGUSR1 opens a debugger port. It is there before anything else is loaded.
process.on("SIGUSR1", () => {});
const { runWorker } = await import("./worker.ts");
runWorker();
