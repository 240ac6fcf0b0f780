/** Apps that end their requests in every possible way, served with an access log as JSON. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "./command.ts";

export interface Line {
  readonly [name: string]: unknown;
}

export interface Stage {
  readonly command: RunningCommand;
  readonly port: number;
  /** The lines so far; a line that is no JSON fails the test. */
  lines(): Line[];
  /** The text of the file. */
  text(): string;
  /** Waits for the line of the request with this target. */
  line(target: string | null): Promise<Line>;
}

/** The limit for a connection; far more than any takes. */
const DEADLINE_MS = 60_000;

export const APPS = [
  { what: "a gateway app", spec: `${join(FIXTURES, "log/gateway.mjs")}:app`, ours: true },
  { what: "Express", spec: `${join(FIXTURES, "log/express.mjs")}:server`, ours: false },
  { what: "Express that listens", spec: join(FIXTURES, "log/express-listens.mjs"), ours: false },
];

export async function serve(context: TestContext, spec: string, ...args: string[]): Promise<Stage> {
  const file = join(temporaryFolder(context), "access.log");
  const log = ["--access-logfile", file, "--access-logformat", "json"];
  const command = startCommand(context, [spec, "-b", "127.0.0.1:0", ...log, ...args]);
  await command.ready();
  const read = (): string => readFileSync(file, "utf8");
  const lines = (): Line[] => {
    const text = read();
    return text === ""
      ? []
      : text
          .replace(/\n$/, "")
          .split("\n")
          .map((line) => JSON.parse(line) as Line);
  };
  return {
    command,
    port: await command.port(),
    lines,
    text: read,
    line: (target) =>
      until(`the line of ${target} is there`, () => lines().find((line) => line.target === target)),
  };
}

/** Sends bytes, Latin-1, and closes the connection once `enough` has come; resolves with all that came. */
export async function raw(port: number, bytes: string, enough = /$^/): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    if (enough.test(text)) socket.destroy();
  });
  socket.on("error", () => {});
  socket.write(Buffer.from(bytes, "latin1"));
  try {
    await once(socket, "close", { signal: AbortSignal.timeout(DEADLINE_MS) });
  } finally {
    socket.destroy();
  }
  return text;
}

/** A request's head, whole. */
export function head(target: string, ...fields: string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: x", ...fields, "", ""].join("\r\n");
}

/** The members of a line that tests compare. */
export function told({ method, target, status, bytes, end }: Line): unknown[] {
  return [method, target, status, bytes, end];
}
