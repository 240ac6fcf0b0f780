/** Rude clients over and over, and through the smallest windows: the worker's memory and descriptors end where they began. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { hasComponent } from "../support/component.ts";
import { REQUESTS, RUDE_KINDS, RudeClients } from "../support/rude-clients.ts";

const ROUNDS = 6;
/** Rounds after which what is made once has been made. */
const FIRST = 2;
const MEBIBYTE = 2 ** 20;
/** A leak of one kilobyte for each of the thousands of connections of a round would be more. */
const GROWTH = 24 * MEBIBYTE;

/** Reads with the smallest receive buffer that the kernel grants: its window closes again and again. */
const TINY_WINDOW = `
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET /large HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
size = 0
for turn in range(int(sys.argv[2])):
    size += len(s.recv(1))
print(size)
`;

describe("rude clients, again and again", { concurrency: true }, () => {
  for (const kind of RUDE_KINDS)
    test(`leave nothing with ${kind.interface}`, { skip: process.platform !== "linux" }, async (context) => {
      if (!hasComponent(context, "python3")) return;
      const rude = await RudeClients.start(context, kind);
      await rude.assertServes();
      const before = rude.descriptors;
      let first = 0;
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const request of REQUESTS) {
          await rude.resetEverywhere(request);
          await rude.halfCloseEverywhere(request);
        }
        await Promise.all([rude.resetResponses(50), rude.neverRead(50), rude.assertServes()]);
        await rude.pipelineWithoutReading(10_000);
        assert.match(await rude.tinyChunks(50_000, ""), /50000 bytes/);
        const readers = Array.from({ length: 8 }, () =>
          promisify(execFile)("python3", ["-c", TINY_WINDOW, `${rude.port}`, "20000"]),
        );
        await rude.assertServes();
        for (const reader of readers) assert.equal((await reader).stdout.trim(), "20000");
        await rude.assertNothingLeft(before);
        if (round === FIRST) first = await rude.memory();
      }
      const growth = (await rude.memory()) - first;
      assert.ok(growth < GROWTH, `the worker has grown by ${(growth / MEBIBYTE).toFixed(1)} MB`);
      assert.equal(await rude.pipeline(10_000), 10_000);
    });
});
