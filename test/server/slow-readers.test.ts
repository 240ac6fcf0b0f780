/** `--response-min-rate`, and what a client that reads slowly may do, through the built command and as a rule. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SendPace } from "../../src/server/send-pace.ts";
import { cleanUp, FIXTURES, startCommand, until } from "../support/command.ts";

describe("the pace of a client that reads", () => {
  test("each byte buys time at the minimum rate, up to the timeout", () => {
    const pace = new SendPace({ body: 1000, responseMinRate: 100 }, 50, 0);
    assert.equal(pace.deadline(50, 0), 1000);
    // 10 bytes are worth 100 ms; 900 were waited.
    assert.equal(pace.deadline(60, 900), 1100);
    assert.equal(pace.behind(60, 900), 800);
    assert.equal(pace.deadline(60, 1050), 1100);
    assert.equal(pace.deadline(100_060, 1090), 2090);
    assert.equal(pace.behind(100_060, 1090), 0);
  });

  test("without a rate any byte does, and without a timeout nothing is late", () => {
    const pace = new SendPace({ body: 1000, responseMinRate: 0 }, 0, 0);
    assert.equal(pace.deadline(1, 999), 1999);
    pace.pause(5000, 1500);
    // It has not been waited for in between.
    assert.equal(pace.behind(5000, 9000), 0);
    assert.equal(pace.deadline(5000, 9000), 10_000);
    const forever = new SendPace({ body: Number.POSITIVE_INFINITY, responseMinRate: 240 }, 0, 0);
    assert.equal(forever.deadline(0, 10 ** 9), Number.POSITIVE_INFINITY);
    assert.equal(forever.behind(0, 7000), 7000);
  });
});

const KINDS = [
  { app: "gateway.mjs:handler", interface: "gateway" },
  { app: "listener.mjs:handler", interface: "node" },
  { app: "server.mjs", interface: "server" },
];

/** Read at a time: so much that the system takes some more of the response each time. */
const SOME_BYTES = 2 ** 19;

describe("a client that reads a little now and then", { concurrency: true }, () => {
  for (const kind of KINDS) {
    for (const { rate, body, isClosed } of [
      { rate: "100MB", body: "1s", isClosed: true },
      { rate: "240", body: "1s", isClosed: false },
      // No limit: not even one that takes nothing is closed.
      { rate: "240", body: "0", isClosed: false },
    ])
      test(`${kind.interface}: ${isClosed ? "is closed" : "stays"} with --response-min-rate ${rate} and --body-timeout ${body}`, async (context) => {
        const words = [kind.app, "--interface", kind.interface, "-b", "127.0.0.1:0", "-w", "1"];
        const limits = ["--response-min-rate", rate, "--body-timeout", body];
        const command = startCommand(context, [...words, ...limits], { cwd: join(FIXTURES, "slow") });
        await command.ready();
        const socket = connect({ port: await command.port(), host: "127.0.0.1" }).pause();
        cleanUp(context, () => socket.destroy());
        await once(socket, "connect");
        socket.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        socket.on("error", () => {});
        let size = 0;
        const read = (): void => {
          size += (socket.read(SOME_BYTES) ?? socket.read())?.length ?? 0;
        };
        const reading = setInterval(read, 50);
        cleanUp(context, () => clearInterval(reading));
        if (isClosed) {
          await once(socket, "close");
          assert.ok(size < 100 * 2 ** 20, "cut off");
          return;
        }
        if (body === "0") clearInterval(reading);
        await new Promise((resolve) => setTimeout(resolve, 3500));
        clearInterval(reading);
        socket.on("data", (bytes) => {
          size += bytes.length;
        });
        socket.resume();
        await until("it has the whole response", () => size > 100 * 2 ** 20);
      });
  }
});
