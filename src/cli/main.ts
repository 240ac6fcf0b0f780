#!/usr/bin/env node
/** The command `tsgun`. */
// Without a listener SIGUSR1 opens a debugger port. It is there before anything else is loaded.
process.on("SIGUSR1", () => {});
const { runCommand } = await import("./command.ts");
process.exit(await runCommand(process.argv.slice(2)));
