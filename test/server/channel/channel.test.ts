/** The contract of channels, which each kind keeps. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { READ_BUFFER } from "../../../src/server/channel/channel.ts";
import { CHANNEL_KINDS, NotedEvents } from "../../support/channels.ts";

const LARGE_BYTES = 16 * 2 ** 20;

/** All that a client receives until the other side ends or breaks the connection. */
async function rest(client: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  client.on("data", (bytes: Buffer) => pieces.push(bytes));
  client.resume();
  await Promise.race([once(client, "end"), once(client, "close")]);
  return Buffer.concat(pieces).toString("latin1");
}

for (const { name, isUnix, isTls, open } of CHANNEL_KINDS) {
  describe(name, { timeout: 60_000 }, () => {
    test("bytes arrive in order, and wait while the channel is paused", async (t) => {
      const { channel, events, client } = await open(t);
      events.keepsReading = false;
      client.write("one");
      await events.until("the first bytes are read", () => events.received === "one");
      client.write("two");
      await pause(30);
      assert.equal(events.received, "one");
      events.keepsReading = true;
      channel.resume();
      await events.until("the rest is read", () => events.received === "onetwo");
      channel.pause();
      client.write("three");
      await pause(30);
      assert.equal(events.received, "onetwo");
      channel.resume();
      channel.resume();
      await events.until("all is read", () => events.received === "onetwothree");
    });

    test("a megabyte of each kind of piece is sent in order", async (t) => {
      const { channel, client } = await open(t);
      const received = rest(client);
      let expected = "";
      for (let count = 0; count < 100; count += 1) {
        const text = `\xff${count} `.repeat(1000);
        channel.writeText(text);
        channel.writeAround("head", Buffer.from("content"), "");
        channel.writeAround("\xfe", "\u00fc", `tail ${count}`);
        channel.writeAround("", Buffer.alloc(5000, "x"), "");
        expected += `${text}headcontent\xfe\xc3\xbctail ${count}${"x".repeat(5000)}`;
      }
      channel.end(() => {});
      assert.equal((await received) === expected, true);
    });

    test("a client that reads slowly fills the channel, and gets everything", async (t) => {
      const { channel, events, client } = await open(t);
      client.pause();
      channel.writeAround("", Buffer.alloc(LARGE_BYTES), "");
      channel.writeText("the end");
      channel.watch({ body: 60_000, responseMinRate: 0 });
      await nextTurn();
      assert.deepEqual([channel.pending, channel.full, events.drains], [true, true, 0]);
      let size = 0;
      client.on("data", (bytes: Buffer) => {
        size += bytes.length;
      });
      client.resume();
      await events.until("everything is taken", () => events.drains === 1);
      assert.deepEqual([channel.pending, channel.full], [false, false]);
      channel.end(() => {});
      await once(client, "end");
      assert.equal(size, LARGE_BYTES + 7);
    });

    test("a client that reads nothing stalls; one that reads a little does not", async (t) => {
      const { channel, events, client } = await open(t);
      client.pause();
      const size = LARGE_BYTES * 4;
      channel.writeAround("", Buffer.alloc(size), "");
      channel.watch({ body: 400, responseMinRate: 0 });
      const reading = setInterval(() => client.read(2 ** 20), 20);
      await pause(1000);
      clearInterval(reading);
      assert.deepEqual([events.stalls, channel.pending], [0, true]);
      await events.until("the client has stalled", () => events.stalls > 0);
      channel.destroy();
      await events.until("it is closed", () => events.closes === 1);
    });

    test("the client ends first and still gets what is sent", async (t) => {
      const { channel, events, client } = await open(t);
      const received = rest(client);
      client.end("request");
      await events.until("the end is read", () => events.ends === 1);
      assert.equal(events.received, "request");
      // TLS has no half-closed connections: a client's close ends both sides.
      if (!isTls) {
        assert.equal(channel.destroyed, false);
        channel.writeText("response");
        channel.end(() => {});
        assert.equal(await received, "response");
      } else channel.end(() => {});
      await events.until("the channel closes itself", () => events.closes === 1);
      assert.deepEqual([channel.destroyed, channel.ended, channel.descriptor], [true, true, -1]);
      await pause(20);
      assert.deepEqual([events.ends, events.closes], [1, 1]);
    });

    test("the channel ends first and still reads", async (t) => {
      const { channel, events, client } = await open(t);
      let isSent = false;
      channel.writeText("bye");
      channel.end(() => {
        isSent = true;
      });
      assert.equal(await rest(client), "bye");
      assert.deepEqual([isSent, channel.ended, channel.destroyed], [true, true, false]);
      channel.writeText("late");
      channel.end(() => assert.fail("ended twice"));
      if (!isTls) {
        client.end("the last words");
        await events.until("the channel closes itself", () => events.closes === 1);
        assert.equal(events.received, "the last words");
      }
    });

    test("close() delivers what is pending and does not wait for the client", async (t) => {
      const { channel, events, client } = await open(t);
      client.pause();
      channel.writeAround("", Buffer.alloc(LARGE_BYTES), "");
      channel.close();
      channel.writeText("late");
      await pause(20);
      assert.equal(events.closes, 0);
      const received = await rest(client);
      assert.equal(received.length, LARGE_BYTES);
      await events.until("it is closed", () => events.closes === 1);
    });

    test("a client that breaks the connection while it is written to closes the channel once", async (t) => {
      const { channel, events, client } = await open(t);
      client.pause();
      channel.writeAround("", Buffer.alloc(LARGE_BYTES), "");
      channel.writeText("more");
      if (isUnix || isTls) client.destroy();
      else client.resetAndDestroy();
      await events.until("it is closed", () => events.closes === 1);
      channel.writeText("late");
      channel.writeAround("late", "later", "");
      channel.watch({ body: 10, responseMinRate: 0 });
      channel.resume();
      channel.end(() => {});
      channel.close();
      channel.destroy();
      channel.setKeepAlive(true, 1000);
      await pause(30);
      assert.deepEqual([events.closes, events.stalls], [1, 0]);
    });

    test("destroy() within a read closes it, and nothing is called after", async (t) => {
      const { channel, events, client } = await open(t);
      const { onBytes } = events;
      events.onBytes = (bytes) => {
        channel.writeText("seen");
        channel.destroy();
        return onBytes.call(events, bytes);
      };
      client.write("x".repeat(200_000));
      await events.until("it is closed", () => events.closes === 1);
      const { bytes } = events;
      await pause(20);
      assert.deepEqual([events.bytes, events.ends], [bytes, 0]);
    });

    test("reset() shows a TCP client an error", async (t) => {
      const { channel, events, client } = await open(t);
      const code = new Promise((resolve) => {
        client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
        client.once("close", () => resolve(undefined));
        client.once("end", () => resolve(undefined));
      });
      client.resume();
      channel.reset();
      channel.reset();
      await events.until("it is closed", () => events.closes === 1);
      assert.equal(await code, isUnix ? undefined : "ECONNRESET");
    });

    test("a socket goes on where the channel was", async (t) => {
      const { channel, events, client } = await open(t);
      const received = rest(client);
      let socket: Socket | undefined;
      const { onBytes } = events;
      events.onBytes = (bytes) => {
        if (socket === undefined) {
          channel.writeText("before ");
          socket = channel.toSocket();
          socket.write("after ");
        }
        return onBytes.call(events, bytes);
      };
      client.write("one");
      await events.until("the first bytes are read", () => events.received === "one");
      events.keepsReading = false;
      client.write("two");
      await events.until("more is read", () => events.received === "onetwo");
      client.write("three");
      await pause(20);
      assert.equal(events.received, "onetwo");
      events.keepsReading = true;
      channel.resume();
      await events.until("the rest is read", () => events.received === "onetwothree");
      if (!isUnix) {
        assert.equal(socket?.remotePort, client.localPort);
        assert.equal(channel.remotePort, client.localPort);
        assert.equal(channel.localPort, client.remotePort);
      }
      client.end();
      await events.until("the end is read", () => events.ends === 1);
      socket?.end("bye");
      await events.until("it is closed", () => events.closes === 1);
      if (!isTls) assert.equal(await received, "before after bye");
      assert.deepEqual(
        [channel.destroyed, channel.ended, channel.descriptor, events.ends],
        [true, true, -1, 1],
      );
    });

    test("another owner goes on where the first one was, within the same read", async (t) => {
      const { channel, events, client } = await open(t);
      const second = new NotedEvents();
      events.onBytes = (bytes) => {
        channel.passTo(second);
        return second.onBytes(bytes.subarray(1));
      };
      second.keepsReading = false;
      client.write("-one");
      await second.until("the first bytes are read", () => second.received === "one");
      client.write("two");
      await pause(20);
      assert.equal(second.received, "one");
      second.keepsReading = true;
      channel.resume();
      await second.until("the rest is read", () => second.received === "onetwo");
      client.end();
      await second.until("the end is read", () => second.ends === 1);
      channel.end(() => {});
      await second.until("it is closed", () => second.closes === 1);
      assert.deepEqual([events.ends, events.closes], [0, 0]);
    });

    test("an ordinary socket goes on, and the owner hears nothing more", async (t) => {
      const { channel, events, client } = await open(t);
      const handedOver = new Promise<Socket>((resolve) => {
        events.onBytes = (bytes) => {
          resolve(channel.toStream(bytes.subarray(1)));
          return true;
        };
      });
      const size = LARGE_BYTES / 4;
      const sent = Buffer.alloc(size, "0123456789");
      client.write(Buffer.concat([Buffer.from("-"), sent]));
      const received = rest(client);
      const stream = await handedOver;
      // Other connections read into the same memory meanwhile.
      READ_BUFFER.fill(0);
      if (!isUnix) assert.equal(stream.remotePort, client.localPort);
      await pause(20);
      const pieces: Buffer[] = [];
      let length = 0;
      for await (const piece of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        pieces.push(piece);
        length += piece.length;
        if (length === size) break;
      }
      assert.equal(Buffer.concat(pieces).equals(sent), true);
      stream.end("bye");
      client.end();
      if (!isTls) assert.equal(await received, "bye");
      stream.resume();
      if (!stream.destroyed) await once(stream, "close");
      assert.deepEqual([events.ends, events.closes], [0, 0]);
    });
  });
}
