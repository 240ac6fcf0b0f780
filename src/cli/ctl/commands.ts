/** The commands that change the server: each waits for its outcome. */
import type { Command } from "commander";
import { execute, type Verb, wholeNumber } from "./verb.ts";

export const COMMANDS: readonly Verb[] = [
  {
    name: "reload",
    description: "load the app anew in new workers and replace the old ones; waits for the outcome",
    run: (command) => execute(command, { doing: "reloading", path: "/reload" }),
  },
  {
    name: "upgrade",
    description:
      "replace the whole server with the installed versions of tsgun and node; waits for the outcome",
    run: (command) => execute(command, { doing: "upgrading", path: "/upgrade" }),
  },
  {
    name: "reopen",
    description: "reopen the log files",
    run: (command) => execute(command, { doing: "reopening the logs of", path: "/reopen" }),
  },
  {
    name: "scale",
    description: "set the number of workers; waits until they are ready",
    define: (command) => command.argument("<workers>", "the number of workers", wholeNumber),
    run: (command) => {
      const workers = firstNumber(command);
      return execute(command, { doing: "scaling", path: "/scale", body: { workers } });
    },
  },
  {
    name: "restart",
    description: "replace one worker; the new one is ready before the old one stops",
    define: (command) => command.argument("<pid>", "the worker's process id", wholeNumber),
    run: (command) => {
      const pid = firstNumber(command);
      return execute(command, { doing: `restarting worker ${pid} of`, path: `/workers/${pid}/restart` });
    },
  },
  {
    name: "stop",
    description: "stop the server after the requests in flight",
    define: (command) => command.option("--quick", "stop at once, without finishing the requests in flight"),
    run: (command) => {
      const { quick = false } = command.opts<{ quick?: boolean }>();
      const body = { mode: quick ? "quick" : "graceful" };
      return execute(command, { doing: "stopping", path: "/stop", body });
    },
  },
];

function firstNumber(command: Command): number {
  return command.processedArgs[0] as number;
}
