/** `-f`: prints the records of a stream as they come, until the user ends it or the server does. */
import type { Command } from "commander";
import type { StatusReport } from "../../control/api.ts";
import { requestControl } from "../../control/control-client.ts";
import { followControl } from "../../control/follow.ts";
import type { AnsweringServer } from "../../control/running-servers.ts";
import { describeServer } from "../server-choice.ts";
import { choose, isJson, query, refusal } from "./verb.ts";

interface Numbered {
  readonly number: number;
}

/** Adds `-f`. */
export function withFollow(command: Command): Command {
  return command.option("-f, --follow", "go on with what is to come, until Ctrl-C");
}

/** Prints the records at `path`; with `-f` those to come as well. */
export async function showRecords<T extends Numbered>(
  command: Command,
  path: string,
  format: (record: T) => string,
  formatAll: (records: readonly T[]) => string,
): Promise<void> {
  const { follow = false } = command.opts<{ follow?: boolean }>();
  if (!follow) return await query<readonly T[]>(command, path, formatAll);
  const write = isJson(command) ? (record: T): string => JSON.stringify(record) : format;
  await followRecords(await choose(command), path, (record) => console.log(write(record as T)));
}

/** Follows the server, and after an upgrade the new arbiter at the same socket. Ctrl-C ends it. */
async function followRecords(
  server: AnsweringServer,
  path: string,
  print: (record: Numbered) => void,
): Promise<void> {
  const end = endSignal();
  let { pid } = server;
  let since = 0;
  for (;;) {
    const each = (record: unknown): void => {
      print(record as Numbered);
      since = (record as Numbered).number;
    };
    const reply = await followControl(server.controlSocket, `${path}?follow=1&since=${since}`, each, end);
    if (reply !== undefined) throw refusal(server, reply.status, reply.body, path);
    if (end.aborted) return;
    const next = await pidAt(server.controlSocket);
    if (next === undefined) {
      console.error(`${describeServer(server)} has ended`);
      return;
    }
    // A new arbiter counts its records anew.
    if (next !== pid) since = 0;
    pid = next;
  }
}

/** The pid of the arbiter that has the socket now; undefined if there is none. */
async function pidAt(socket: string): Promise<number | undefined> {
  try {
    const { status, body } = await requestControl(socket, "GET", "/status");
    return status === 200 ? (body as StatusReport).pid : undefined;
  } catch {
    return undefined;
  }
}

/** Aborted when the user ends the command, or what it is piped into does. */
function endSignal(): AbortSignal {
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  process.stdout.on("error", () => end.abort());
  return end.signal;
}
