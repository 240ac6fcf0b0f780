/** Section 8: informational responses. */
import assert from "node:assert/strict";
import type { HeadersInput } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { GET } from "./shared.ts";

async function _nameOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: Error) => error.name,
  );
}

const BAD_HINTS: readonly [number, HeadersInput][] = [
  [101, {}],
  [99, {}],
  [100, {}],
  [101, { upgrade: "echo" }],
  [200, {}],
  [Number.NaN, {}],
  [103.5, {}],
  [103, { link: "a\r\ninjected: b" }],
];

const hintCases: readonly Case[] = [
  {
    clauses: ["8.1"],
    title: "any number of informational responses can precede the final one",
    app: () => (_request, respond) => {
      respond.informational(102);
      respond.informational(103, { link: ["</a>; rel=preload", "</b>; rel=preload"] });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange();
      const [first, second] = answer.informational;
      assert.deepEqual([first?.status, second?.status], [102, 103]);
      assert.deepEqual(values(second?.rawHeaders ?? [], "link"), ["</a>; rel=preload", "</b>; rel=preload"]);
      assert.equal(answer.content.toString(), "final");
    },
  },
  {
    clauses: ["8.1"],
    title: "an informational response is sent at once",
    wire: true,
    app: (stage) => async (_request, respond) => {
      respond.informational(103, { link: "</a>" });
      await stage.until(() => stage.notes.includes("on"), "leave to go on");
      respond(200, null, "final");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await client.until(() => /^HTTP\/1\.1 103 .*\r\n\r\n$/s.test(client.received), "103");
      stage.note("on");
      assert.equal((await client.response()).content.toString(), "final");
    },
  },
  {
    clauses: ["8.1"],
    title: "an informational response after the final head throws",
    app: (stage) => (_request, respond) => {
      respond(200, null, "final");
      try {
        respond.informational(103);
      } catch (error) {
        stage.note((error as Error).name);
      }
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.informational.length], ["final", 0]);
      assert.deepEqual(stage.notes, ["GatewayError"]);
    },
  },
  ...BAD_HINTS.map(
    ([status, headers]): Case => ({
      clauses: ["8.2", "6.3.2"],
      title: `an informational ${status} with ${JSON.stringify(headers)} is refused`,
      app: (stage) => (_request, respond) => {
        try {
          respond.informational(status, headers);
        } catch (error) {
          stage.note((error as Error).name);
        }
        respond(200, null, "final");
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.status, answer.informational.length], [200, 0]);
        assert.deepEqual(stage.notes, ["GatewayError"]);
      },
    }),
  ),
  {
    clauses: ["8.2"],
    title: "an informational response has no framing and connection fields",
    notUnderLint: "lint refuses such fields",
    app: () => (_request, respond) => {
      respond.informational(103, {
        "Content-Length": "5",
        "transfer-encoding": "chunked",
        connection: "close",
        "Keep-Alive": "timeout=9",
        "proxy-connection": "close",
        trailer: "x-sum",
        upgrade: "echo",
        Link: "</a>",
      });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange();
      const [hints] = answer.informational;
      assert.deepEqual([hints?.status, hints?.rawHeaders], [103, ["Link", "</a>"]]);
      assert.equal(answer.content.toString(), "final");
    },
  },
  {
    clauses: ["8.3"],
    title: "an HTTP/1.0 client gets no informational response",
    app: () => (_request, respond) => {
      respond.informational(103, { link: "</a>" });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange({ httpVersion: "1.0" });
      assert.deepEqual([answer.informational.length, answer.content.toString()], [0, "final"]);
    },
  },
];

export const informationalCases: readonly Case[] = [...hintCases];
