/** A real rsyslog parses every message into the intended program, severity and text. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";

interface Rsyslog {
  readonly socket: string;
  readonly port: number;
  /** The messages it has parsed so far. */
  messages(): Message[];
}

interface Message {
  readonly priority: string;
  readonly program: string;
  readonly pid: string;
  readonly text: string;
}

async function startRsyslog(context: TestContext): Promise<Rsyslog> {
  const folder = temporaryFolder(context);
  const [socket, out, config] = [join(folder, "log"), join(folder, "out"), join(folder, "rsyslog.conf")];
  const port = await freePort();
  writeFileSync(
    config,
    `global(workDirectory="${folder}")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
input(type="imuxsock" Socket="${socket}" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="${port}")
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="parsed" type="string" string="%pri-text%|%programname%|%procid%|%msg%\\n")
action(type="omfile" file="${out}" template="parsed")
`,
  );
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const args = ["-n", "-f", config, "-i", join(folder, "pid")];
  const server = spawn("rsyslogd", args, { stdio: ["ignore", "ignore", "inherit"], env: { PATH: path } });
  context.after(async () => {
    server.kill("SIGKILL");
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
  });
  await until("rsyslog listens", async () => {
    const client = connect(port, "127.0.0.1");
    try {
      await once(client, "connect");
      return existsSync(socket);
    } finally {
      client.destroy();
    }
  });
  const messages = (): Message[] => {
    const lines = existsSync(out) ? readFileSync(out, "utf8").split("\n").slice(0, -1) : [];
    return lines.map((line) => {
      const [priority = "", program = "", pid = "", ...text] = line.split("|");
      return { priority, program, pid, text: text.join("|").trim() };
    });
  };
  return { socket, port, messages };
}

for (const way of ["udp", "tcp", "unix"] as const) {
  test(`rsyslog over ${way}`, { skip: missing("rsyslogd", "rsyslog") }, async (context) => {
    const { socket, port, messages } = await startRsyslog(context);
    const path = join(temporaryFolder(context), "app.sock");
    const to = way === "unix" ? `unix://${socket}` : `${way}://127.0.0.1:${port}`;
    const command = startCommand(context, [
      ...[join(FIXTURES, "pool/throws.mjs"), "-w", "1", "-b", `unix:${path}`],
      ...["--log-syslog", "--log-syslog-to", to, "--log-syslog-facility", "local3", "--name", "shop"],
    ]);
    await command.ready();
    const [worker] = command.workers();
    assert.equal((await ask({ path }, "/a%20b?c=[d]:%0A")).status, 500);
    await command.line(/Error handling request/);
    assert.equal((await command.end()).code, 0);
    const last = await until("it has the last message", () =>
      messages().find(({ text }) => text === "Shutting down: Master"),
    );
    assert.deepEqual(last, { ...last, priority: "local3.info", program: "tsgun.shop.error" });
    assert.equal(last.pid, String(command.pid));
    const ofWorker = messages().filter(({ pid }) => pid === String(worker));
    const failed = ofWorker.filter(({ program }) => program === "tsgun.shop.error");
    assert.ok(failed[0]?.text.startsWith("Error handling request GET /a%20b?c=[d]:%0A ("), failed[0]?.text);
    assert.equal(failed[0]?.priority, "local3.err");
    assert.equal(failed[1]?.text, "Error: thrown by the app");
    const [access] = ofWorker.filter(({ program }) => program === "tsgun.shop.access");
    assert.equal(access?.priority, "local3.info");
    assert.match(access.text, /"GET \/a%20b\?c=\[d\]:%0A HTTP\/1\.1" 500 /);
  });
}
