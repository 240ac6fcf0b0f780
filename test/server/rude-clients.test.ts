/** Clients that reset, half-close, send in single bytes or read nothing: others are served, and nothing is left of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REQUESTS, RUDE_KINDS, RudeClients } from "../support/rude-clients.ts";

const PIPELINED = 10_000;
const TINY_CHUNKS = 20_000;

describe("rude clients", { concurrency: true }, () => {
  for (const kind of RUDE_KINDS) {
    test(`of ${kind.interface}`, async (context) => {
      const rude = await RudeClients.start(context, kind);
      await rude.assertServes();
      const before = process.platform === "linux" ? rude.descriptors : undefined;
      for (const request of REQUESTS) {
        await rude.resetEverywhere(request);
        await rude.halfCloseEverywhere(request);
      }
      await Promise.all([rude.resetResponses(20), rude.neverRead(20), rude.assertServes()]);
      assert.equal(await rude.pipeline(PIPELINED), PIPELINED);
      await rude.pipelineWithoutReading(PIPELINED);
      assert.match(await rude.tinyChunks(TINY_CHUNKS, ""), new RegExp(`${TINY_CHUNKS} bytes`));
      const extended = await rude.tinyChunks(10, ";name=value");
      assert.match(extended, /10 bytes/);
      for (const request of REQUESTS) assert.match(await rude.byteByByte(request), /^HTTP\/1\.1 200 /);
      await rude.assertServes();
      await rude.assertNothingLeft(before);
    });
  }
});
