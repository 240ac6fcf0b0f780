/** Session tickets while the arbiter makes new keys for them: workers that serve, and one that boots meanwhile. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { askTls } from "../support/ask-tls.ts";
import { TestAuthority } from "../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { otherNodes } from "../support/other-nodes.ts";

const HOUR_MS = 3_600_000;
const TLS = join(FIXTURES, "tls");
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
/** With two certificates: the server's keys are those of all its names. */
const NAMES = ["one.test", "two.test"];

describe("sessions are resumed until there are new keys, and no longer, on every worker", {
  concurrency: true,
}, () => {
  for (const node of [undefined, ...otherNodes])
    test(node ?? "this Node", (context) => turnKeys(context, node));
});

async function turnKeys(context: TestContext, node: string | undefined): Promise<void> {
  if (!hasComponent(context, "openssl")) return;
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const files = NAMES.flatMap((name) => {
    const { certificate, key } = authority.sign(name, { names: `DNS:${name}` });
    return ["--certfile", certificate, "--keyfile", key];
  });
  const [clock, hold] = [join(folder, "clock"), join(folder, "hold")];
  writeFileSync(clock, "0");
  const words = [`${join(TLS, "held-boot.mjs")}:app`, "-b", "127.0.0.1:0", "-w", "2", ...files];
  // The arbiter is to judge nobody by this clock.
  const noLimits = ["--timeout", "0", "--boot-timeout", "48h", "--no-control-socket"];
  const command = startCommand(context, [...words, ...noLimits], {
    ...(node !== undefined && { node }),
    env: {
      NODE_OPTIONS: `--require ${join(TLS, "clock-ahead.cjs")}`,
      CLOCK_AHEAD: clock,
      HOLD_BOOT: hold,
    },
  });
  await command.ready();
  const port = await command.port();

  const clients = VERSIONS.flatMap((maxVersion) =>
    NAMES.map((servername) => ({ port, ca: authority.pem, maxVersion, servername })),
  );
  /** Sessions of one moment, one for each client. */
  const begin = () =>
    Promise.all(clients.map(async (client) => ({ ...client, session: (await askTls(client)).session })));
  /** Asks with each session until so many workers have answered it. Returns whether each took it. */
  const resumed = async (sessions: Awaited<ReturnType<typeof begin>>, workers: number) => {
    const answers = new Set<boolean>();
    for (const client of sessions) {
      const pids = new Set<unknown>();
      await until(`${workers} workers have answered`, async () => {
        const { reused, json } = await askTls(client);
        answers.add(reused);
        return pids.add(json.pid).size === workers;
      });
    }
    return [...answers];
  };

  const first = await begin();
  assert.deepEqual(await resumed(first, 2), [true]);
  // A worker comes, so the arbiter looks at its clock; the worker boots until there are new keys.
  writeFileSync(clock, String(12 * HOUR_MS - 600_000));
  writeFileSync(hold, "");
  command.kill("SIGTTIN");
  await command.line(/Booting worker/, 3);
  assert.deepEqual(await resumed(first, 2), [true], "ten minutes before the keys' end");

  writeFileSync(clock, String(12 * HOUR_MS));
  await until("both have new keys", async () => !(await resumed(first, 2)).includes(true));
  const second = await begin();
  assert.deepEqual(await resumed(second, 2), [true]);
  rmSync(hold);
  await until(
    "the third one serves, and takes sessions of the others",
    async () => (await resumed(second, 3)).join() === "true",
  );
  assert.deepEqual(await resumed(await begin(), 3), [true]);
  assert.deepEqual(await resumed(first, 3), [false]);

  writeFileSync(clock, String(24 * HOUR_MS));
  await until("all have the next keys", async () => !(await resumed(second, 3)).includes(true));
  assert.deepEqual(await resumed(await begin(), 3), [true]);
  assert.deepEqual(command.lines(/WARNING|ERROR/), []);
}
