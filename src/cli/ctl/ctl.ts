/** `tsgun ctl`: sends a command to a running server over its control socket and prints the result. */
import { Command } from "commander";
import { COMMANDS } from "./commands.ts";
import { EXAMINATIONS } from "./examinations.ts";
import { INJECT } from "./inject.ts";
import { INSPECTION } from "./inspection.ts";
import { REPORTS } from "./reports.ts";
import { type Verb, wholeNumber } from "./verb.ts";

/** The table of commands, in the order of the help. */
const VERBS: readonly Verb[] = [...REPORTS, ...INSPECTION, INJECT, ...EXAMINATIONS, ...COMMANDS];

/** Builds the command `ctl` with its subcommands. */
export function controlCommand(): Command {
  const ctl = new Command("tsgun ctl")
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .description("control a running server: show its state, reload, scale, upgrade or stop it")
    .option("-c, --config <FILE>", "the server with this configuration file")
    .option("--name <NAME>", "the server with this name")
    .option("--pid <PID>", "the server with this process id", wholeNumber)
    .option("--control-socket <PATH>", "the server with this control socket")
    .option("--json", "print the result as JSON")
    .addHelpText("after", `\nDefault: the server that was started in this folder. tsgun ps lists all.`);
  for (const verb of VERBS) addVerb(ctl, verb);
  return ctl;
}

function addVerb(ctl: Command, { name, description, define, run }: Verb): void {
  const command = ctl.command(name).description(description);
  define?.(command);
  command.action(() => run(command));
}
