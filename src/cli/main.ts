#!/usr/bin/env node
/** The command `tsgun`. */
// Without a listener SIGUSR1 opens a debugger port. Install it before anything else loads.
process.on("SIGUSR1", () => {});
const { runCommand } = await import("./command.ts");
process.exit(await runCommand(process.argv.slice(2)));
