/** The cases of HTTP/2 in the table of vulnerabilities: refused, or seen without what was malformed; the session goes on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, field, frame, POST, request } from "../../support/http2-frames.ts";
import { H2_CASES } from "./h2-cases.ts";

describe("vulnerabilities of HTTP/2", () => {
  for (const { cve, product, was, fields, content, sees } of H2_CASES)
    test(`${cve.join(", ")} (${product}): ${was}`, async (context) => {
      const seen: [target: string, names: string[], body: string][] = [];
      const engine = await startHttp2Engine(context, async (incoming, respond) => {
        const body = await incoming.body.text();
        const names = incoming.rawHeaders.filter((_text, at) => at % 2 === 0);
        seen.push([incoming.target, names, body]);
        respond(200, {}, "ok");
      });
      const client = new FrameClient(await engine.connect());
      context.after(() => client.socket.destroy());
      const block = Buffer.concat([POST, ...fields.map(([name, value]) => field(name, value))]);
      client.send(request(1, block, content === undefined ? 5 : 4));
      if (content !== undefined) client.send(frame(0, 1, 1, Buffer.from(content)));
      await client.until(() => client.frames.some(({ streamId }) => streamId === 1), "an answer");
      client.send(request(3));
      await client.frame(1, 3);
      const first = sees === undefined ? [] : [["/", ["host", ...sees], content]];
      assert.deepEqual(seen, [...first, ["/", ["host"], ""]]);
      if (sees === undefined)
        assert.ok(
          client.frames.some(({ type, streamId, value }) => streamId === 1 && type === 3 && value === 1),
        );
    });
});
