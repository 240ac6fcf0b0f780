/** A real HAProxy in a temporary folder, with the sections that a test writes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp, until } from "./command.ts";

export interface Haproxy {
  /** Its log so far: health checks that failed or came back. */
  log(): string;
}

/** Starts HAProxy and waits until it listens on `port`. It is stopped when the test ends. */
export async function startHaproxy(
  test: TestContext,
  folder: string,
  sections: string,
  port: number,
): Promise<Haproxy> {
  const config = join(folder, "haproxy.cfg");
  writeFileSync(config, sections);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const child = spawn("haproxy", ["-db", "-f", config], { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  cleanUp(test, async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await until(`HAProxy listens on ${port}`, async () => {
    if (child.exitCode !== null) throw new Error(`HAProxy ended with code ${child.exitCode}: ${log}`);
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } finally {
      socket.destroy();
    }
  });
  return { log: () => log };
}
