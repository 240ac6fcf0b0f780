/** The program of a worker process. */
// Commands to the arbiter, which somebody may send to the whole process group: none of them must end or stop a worker.
// Without a listener SIGUSR1 opens a debugger port. They are there before anything else is loaded.
for (const command of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTTIN", "SIGTTOU"]) process.on(command, () => {});
const { runWorker } = await import("./worker.ts");
runWorker();
