/** Completion in the real shells: the script is sourced, and its offers are read. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startCommand, temporaryFolder } from "../support/command.ts";
import { missing } from "../support/component.ts";

const SCRIPTS = join(import.meta.dirname, "..", "..", "completions");

function project(context: TestContext): string {
  const folder = temporaryFolder(context);
  for (const file of ["app.ts", "notes.txt"]) writeFileSync(join(folder, file), "");
  mkdirSync(join(folder, "lib"));
  return folder;
}

/** A question, and the words that are offered; `not` are not. */
const ASKED: [words: string[], offered: string[], not: string[]][] = [
  [["tsgun", "--wor"], ["--workers", "--worker-connections"], ["--bind"]],
  [["tsgun", "--interface", ""], ["auto", "gateway", "fetch", "node"], ["app.ts"]],
  [["tsgun", "--log-level", "d"], ["debug"], ["error"]],
  [["tsgun", "--chdir", ""], ["lib"], ["app.ts"]],
  [["tsgun", "--error-logfile", "n"], ["notes.txt"], ["app.ts"]],
  [["tsgun", "c"], ["ctl", "completion"], ["app.ts"]],
  [["tsgun", "ctl", "re"], ["reload", "reopen", "restart"], ["status"]],
  [["tsgun", "ctl", "--j"], ["--json"], ["--workers"]],
  [
    ["tsgun", "ctl", "profile", "4711", "--"],
    ["--seconds", "--output", "--json"],
    ["--follow", "--workers"],
  ],
  [["tsgun", "ctl", "profile", "4711", "--output", "n"], ["notes.txt"], ["status"]],
  [["tsgun", "ctl", "events", "--"], ["--follow", "--json"], ["--seconds"]],
  [["tsgun", "ctl", "--json", "stop", "--"], ["--quick"], ["--follow"]],
  [["tsgun", "why", "--"], ["--list", "--all", "--record-dir"], ["--workers"]],
  [["tsgun", "ps", "--"], ["--json"], ["--workers"]],
  [["tsgun", "to"], ["top"], ["app.ts"]],
  [["tsgun", "top", "--"], ["--once", "--json", "--interval", "--name"], ["--workers"]],
  [["tsgun", "why", "--"], ["--list", "--record-dir"], ["--workers"]],
  [["tsgun", "do"], ["doctor"], ["app.ts"]],
  [["tsgun", "doctor", "--"], ["--nginx", "--json"], ["--workers"]],
  [["tsgun", "doctor", "--nginx", "n"], ["notes.txt"], ["app.ts"]],
  [["tsgun", "init", "n"], ["nginx"], ["notes.txt"]],
  [["tsgun", "init", "--dr"], ["--dry-run"], ["--drain-delay"]],
  [["tsgun", "completion", ""], ["bash", "zsh", "fish"], ["app.ts"]],
];

function checkOffers(offers: string[], offered: string[], not: string[], words: string[]): void {
  for (const word of offered)
    assert.ok(offers.includes(word), `${words.join(" ")}: no ${word} in ${offers.join(" ")}`);
  for (const word of not)
    assert.ok(!offers.includes(word), `${words.join(" ")}: ${word} in ${offers.join(" ")}`);
}

test("bash completes", { skip: missing("bash") }, (context) => {
  const folder = project(context);
  const ask = (words: string[]): string[] => {
    const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tsgun; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ["--norc", "-c", script, join(SCRIPTS, "tsgun.bash"), ...words];
    return execFileSync("bash", args, { cwd: folder, encoding: "utf8" }).split("\n");
  };
  for (const [words, offered, not] of ASKED) checkOffers(ask(words), offered, not, words);
  checkOffers(ask(["tsgun", "a"]), ["app.ts"], ["notes.txt"], ["tsgun", "a"]);
  checkOffers(ask(["tsgun", ""]), ["app.ts", "lib", "ctl"], ["notes.txt"], ["tsgun"]);
});

test("fish completes", { skip: missing("fish") }, (context) => {
  const folder = project(context);
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  for (const [words, offered, not] of ASKED) {
    const script = `source ${join(SCRIPTS, "tsgun.fish")}; complete -C '${words.join(" ")}'`;
    const text = execFileSync("fish", ["--no-config", "-c", script], { cwd: folder, encoding: "utf8", env });
    const offers = text.split("\n").map((line) => (line.split("\t")[0] as string).replace(/\/$/, ""));
    checkOffers(offers, offered, not, words);
  }
});

test("zsh completes", { skip: missing("zsh") }, (context) => {
  const folder = project(context);
  // A terminal of its own, in which Tab is pressed; what is offered is listed line by line.
  const script = `
    zmodload zsh/zpty
    zpty shell 'zsh -f -i'
    zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source ${join(SCRIPTS, "_tsgun")}'
    zpty -w shell 'LISTMAX=0; setopt nolistpacked; stty cols 200; zstyle ":completion:*" list-separator "--"; print READY"Y"'
    zpty -r -m shell seen '*READYY*'
    zpty -w -n shell "$1"$'\\t'$'\\t'
    seen=
    while zpty -r -t shell part 2>/dev/null || { sleep 0.3; zpty -r -t shell part 2>/dev/null }; do seen+=$part; done
    print -r -- "$seen"
    zpty -d shell`;
  const ask = (line: string): string =>
    execFileSync("zsh", ["-f", "-c", script, "ask", line], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, TERM: "dumb" },
    });
  assert.match(ask("tsgun --work"), /--worker-connections[\s\S]*--workers/);
  assert.match(ask("tsgun --log-level "), /critical[\s\S]*warning/);
  assert.match(ask("tsgun ctl re"), /reload[\s\S]*restart/);
  assert.match(ask("tsgun ctl profile 4711 --"), /--json[\s\S]*--seconds/);
  assert.match(ask("tsgun completion "), /bash[\s\S]*zsh/);
  assert.match(ask("tsgun doctor --"), /--json[\s\S]*--nginx/);
  assert.match(ask("tsgun init "), /config[\s\S]*nginx/);
});

test("tsgun completion prints the script, or lists the shells", async (context) => {
  const command = startCommand(context, ["completion", "fish"]);
  assert.equal((await command.ended()).code, 0);
  assert.match(command.stdout, /^complete -c tsgun /m);
  const wrong = startCommand(context, ["completion", "tcsh"]);
  assert.equal((await wrong.ended()).code, 2);
  assert.equal(wrong.stderr, "tsgun: run tsgun completion bash|zsh|fish\n");
});
