/** Clients that take nothing, little, or ask for more than they take: what they cost is bounded, and they end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../support/command.ts";
import { startEngine } from "../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a pipeline whose answers nobody takes", () => {
  const ANSWER = "x".repeat(100_000);
  const REQUESTS = 500;

  for (const late of [false, true]) {
    test(`is answered no further than what is taken (${late ? "in a later turn" : "at once"})`, async (t) => {
      let answered = 0;
      const engine = await startEngine(t, async (_request, respond) => {
        if (late) await new Promise((resolve) => setImmediate(resolve));
        answered += 1;
        respond(200, null, ANSWER);
      });
      const client = await engine.connect();
      client.socket.pause();
      client.send(GET.repeat(REQUESTS));
      await pause(300);
      // What the system's buffers hold, and little more.
      assert.ok(answered * ANSWER.length < 20_000_000, `${answered} answers were made`);
      client.socket.removeAllListeners("data");
      let received = 0;
      client.socket.on("data", (text: string) => {
        received += text.length;
      });
      client.socket.resume();
      await until("all are answered", () => received > REQUESTS * ANSWER.length);
      assert.equal(answered, REQUESTS);
      client.socket.destroy();
    });
  }

  test("one after the other, too", async (t) => {
    let answered = 0;
    const engine = await startEngine(t, (_request, respond) => {
      answered += 1;
      respond(200, null, ANSWER);
    });
    const client = await engine.connect();
    client.socket.pause();
    for (let count = 0; count < 500; count += 1) {
      client.send(GET);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pause(100);
    assert.ok(answered * ANSWER.length < 20_000_000, `${answered} answers were made`);
    client.socket.destroy();
  });
});
