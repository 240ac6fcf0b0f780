/** Reports to real receivers: over UDP, and over a Unix socket. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type StatsdOptions, StatsdReporter } from "../../src/metrics/statsd-reporter.ts";
import type { Series } from "../../src/scoreboard/series-table.ts";
import { temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { DatagramReceiver } from "../support/datagrams.ts";
import { seriesOf } from "../support/series.ts";
import { receiveUdp } from "../support/syslog-servers.ts";

const GAUGES = { workers: 1, backlog: undefined };

function errors(count: number): Series[] {
  return seriesOf([["log|error", [count]]]);
}

interface Stage {
  readonly reporter: StatsdReporter;
  readonly said: string[];
  advance(milliseconds: number): void;
}

function report(context: TestContext, address: StatsdOptions["address"]): Stage {
  const said: string[] = [];
  let now = 0;
  const reporter = new StatsdReporter(
    {
      address,
      name: "there",
      prefix: undefined,
      tags: undefined,
      onTrouble: (message) => said.push(message),
      onRecovery: (message) => said.push(message),
      now: () => now,
    },
    [],
  );
  context.after(() => reporter.close());
  return {
    reporter,
    said,
    advance(milliseconds) {
      now += milliseconds;
    },
  };
}

async function bound(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

test("what has come is sent once, also what came before the name was looked up", async (context) => {
  const { port, received } = await receiveUdp(context);
  const { reporter, said } = report(context, { transport: "udp", host: "localhost", port });
  reporter.report(errors(2), GAUGES);
  await reporter.settled();
  reporter.report(errors(3), GAUGES);
  reporter.report(errors(7), GAUGES);
  await until("both have arrived", () => received.length === 2);
  assert.deepEqual(received, [
    "gunicorn.log.error:3|c\ngunicorn.workers:1|g",
    "gunicorn.log.error:4|c\ngunicorn.workers:1|g",
  ]);
  assert.deepEqual(said, []);
});

test("a server that is away is reported once, tried again, and said to be back", async (context) => {
  const gone = await bound(0);
  const { port } = gone.address();
  gone.close();
  const { reporter, said, advance } = report(context, { transport: "udp", host: "127.0.0.1", port });
  await reporter.settled();
  const trouble = /^The statsd server there cannot be reached; retrying: .*ECONNREFUSED/;
  await until("the refusal is known", () => {
    reporter.report(errors(1), GAUGES);
    return said.length > 0;
  });
  assert.match(said.join("\n"), trouble);
  for (let second = 0; second < 40; second++) {
    advance(1000);
    reporter.report(errors(2), GAUGES);
    await reporter.settled();
    // A refusal arrives with the next look at the sockets, which takes less than a second.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  }
  assert.equal(said.length, 1, said.join("\n"));

  const back = await bound(port);
  context.after(() => back.close());
  const received: string[] = [];
  back.on("message", (message) => received.push(message.toString()));
  await until("it is told again", async () => {
    advance(1000);
    reporter.report(errors(2), GAUGES);
    await reporter.settled();
    return said.length > 1;
  });
  assert.deepEqual(said.slice(1), ["The statsd server there can be reached again"]);
  assert.ok(received.length > 0);
  assert.ok(
    received.every((text) => text === "gunicorn.workers:1|g"),
    "what was lost is not told later",
  );
});

test("a name that does not exist is reported once, and stops nothing", async (context) => {
  const { reporter, said, advance } = report(context, {
    transport: "udp",
    host: "statsd.invalid",
    port: 8125,
  });
  for (let second = 0; second < 5; second++) {
    await reporter.settled();
    reporter.report(errors(second), GAUGES);
    advance(1000);
  }
  await until("it is reported", () => said.length > 0);
  assert.equal(said.length, 1);
});

test("over a Unix socket, which may come later", async (context) => {
  if (!hasComponent(context, "python3")) return;
  const path = join(temporaryFolder(context), "statsd.sock");
  const { reporter, said, advance } = report(context, { transport: "unix", path });
  await reporter.settled();
  assert.match(said.join("\n"), /cannot be reached; retrying: .*ENOENT/);
  const receiver = await DatagramReceiver.bind(path);
  context.after(() => receiver.close());
  advance(1000);
  reporter.report(errors(1), GAUGES);
  await reporter.settled();
  reporter.report(errors(4), GAUGES);
  assert.deepEqual((await receiver.count(1))[0], ["gunicorn.log.error:3|c", "gunicorn.workers:1|g"]);
  await receiver.close();
  reporter.report(errors(5), GAUGES);
  assert.equal(said.length, 1);
});
