/** Section 10: trailers of requests and responses. */
import assert from "node:assert/strict";
import type { GatewayRequest, Handler } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { nameOf } from "./shared.ts";

const trailing: Handler = async (request, respond) => {
  const writer = respond(200, request.path === "/sized" ? { "content-length": "7" } : {});
  await writer.write("con");
  await writer.end("tent", { "X-Sum": "7", "x-list": ["a", "b"] });
};

/** Some of each kind: framing, routing, authentication, how to read the content. */
const FORBIDDEN = [
  "Content-Length",
  "Host",
  "X-Forwarded-For",
  "Authorization",
  "Cookie",
  "Content-Type",
  "If-Match",
];

const receivedCases: readonly Case[] = [
  {
    clauses: ["10.1"],
    title: "trailers are available once the body has been read, joined and raw",
    app: () => async (request: GatewayRequest, respond) => {
      await request.body.text();
      const { trailers, rawTrailers } = request;
      const bare = Object.getPrototypeOf(trailers) === null;
      respond(200, null, JSON.stringify([bare, trailers["x-sum"], trailers["x-list"], rawTrailers]));
    },
    async run(stage) {
      const trailers = ["X-Sum", "1", "X-List", "a", "x-list", "b"];
      const answer = await stage.exchange({ method: "POST", content: ["a", "b"], trailers });
      assert.deepEqual(JSON.parse(answer.content.toString()), [true, "1", "a, b", trailers]);
    },
  },
  {
    clauses: ["10.1"],
    title: "trailers are empty if there are none",
    app: () => async (request, respond) => {
      await request.body.text();
      respond(200, null, JSON.stringify([Object.keys(request.trailers), request.rawTrailers]));
    },
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "sized" });
      assert.equal(answer.content.toString(), "[[],[]]");
    },
  },
  ...FORBIDDEN.map(
    (name): Case => ({
      clauses: ["10.3"],
      title: `the trailer ${name} of a request never reaches the app`,
      app: (stage) => async (request, respond) => {
        await request.body.text();
        stage.note(Object.keys(request.trailers).join());
        respond(200, null, "read");
      },
      async run(stage) {
        const trailers = ["X-Sum", "1", name, "2"];
        const { status } = await stage.exchange({ method: "POST", content: ["a"], trailers });
        // A server may also refuse such a request instead of dropping the field.
        if (status === 200) assert.deepEqual(stage.notes, ["x-sum"]);
      },
    }),
  ),
];

const sentCases: readonly Case[] = [
  {
    clauses: ["10.2"],
    title: "trailers are sent after chunks",
    app: () => trailing,
    async run(stage) {
      const answer = await stage.exchange();
      assert.equal(answer.content.toString(), "content");
      assert.deepEqual(values(answer.rawTrailers, "x-sum"), ["7"]);
      assert.deepEqual(values(answer.rawTrailers, "x-list"), ["a", "b"]);
    },
  },
  {
    clauses: ["10.2"],
    title: "trailers are sent even if nothing was written before",
    app: () => (_request, respond) => void respond(200).end(null, { "x-sum": "0" }),
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.length, values(answer.rawTrailers, "x-sum")], [0, ["0"]]);
    },
  },
  {
    clauses: ["10.2"],
    title: "trailers are dropped if the response is not chunked",
    app: () => trailing,
    async run(stage) {
      const sized = await stage.exchange({ target: "/sized" });
      assert.deepEqual([sized.content.toString(), sized.rawTrailers], ["content", []]);
      const old = await stage.exchange({ httpVersion: "1.0" });
      assert.deepEqual([old.content.toString(), old.rawTrailers], ["content", []]);
      const head = await stage.exchange({ method: "HEAD" });
      assert.deepEqual([head.content.length, head.rawTrailers], [0, []]);
    },
  },
  ...["content-length", "Transfer-Encoding", "authorization", "set-cookie", "host", "x-a\r\ninjected"].map(
    (name): Case => ({
      clauses: ["10.3", "6.3.2"],
      title: `the trailer ${JSON.stringify(name)} is refused`,
      app: (stage) => async (_request, respond) => {
        const writer = respond(200);
        await writer.write("content");
        stage.note(await nameOf(writer.end(null, { [name]: "1" })));
        await writer.end();
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.content.toString(), answer.rawTrailers], ["content", []]);
        assert.deepEqual(stage.notes, ["GatewayError"]);
      },
    }),
  ),
];

export const trailerCases: readonly Case[] = [...receivedCases, ...sentCases];
