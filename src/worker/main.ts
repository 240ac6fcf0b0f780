/** Program of a worker process. */
// Signals to the arbiter may reach the whole process group and must not end or stop a worker. Without a listener
// SIGUSR1 opens a debugger port. Listen before anything else is loaded.
for (const command of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTTIN", "SIGTTOU"]) process.on(command, () => {});
const { runWorker } = await import("./worker.ts");
runWorker();
