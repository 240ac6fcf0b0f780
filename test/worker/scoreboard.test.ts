/** A worker counts on its page of the scoreboard, through the built command. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startCommand } from "../support/command.ts";

test("--no-metrics is told apart from the default", async (context) => {
  for (const [args, metrics] of [
    [[], "true"],
    [["--no-metrics"], "false"],
  ] as const) {
    const command = startCommand(context, ["--print-config", ...args]);
    assert.equal((await command.ended()).code, 0);
    assert.match(command.stdout, new RegExp(`^metrics += ${metrics} `, "m"));
  }
});
