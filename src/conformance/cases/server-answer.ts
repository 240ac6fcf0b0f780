/** Section 11.7: how an app dresses the responses of the server. */
import assert from "node:assert/strict";
import type { App, ServerAnswer } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { GET } from "./shared.ts";

/** An app that fails, and dresses what the server sends for it. */
function dressing(dress: NonNullable<App["onServerAnswer"]>): App {
  return {
    handle: () => {
      throw new Error("on purpose");
    },
    onServerAnswer: dress,
  };
}

export const serverAnswerCases: readonly Case[] = [
  {
    clauses: ["3.2.3", "11.7"],
    title: "an app dresses the answer in its place, whose status stays",
    app: (stage) =>
      dressing((answer: ServerAnswer) => {
        stage.note([answer.status, answer.error.message, answer.request?.path]);
        return {
          headers: [
            ["content-type", "application/json"],
            ["x-dressed", "yes"],
            ["transfer-encoding", "chunked"],
            ["content-length", "3"],
          ],
          body: '{"error":500}',
        };
      }),
    async run(stage) {
      const answer = await stage.exchange({ target: "/a" });
      assert.deepEqual(stage.notes, [[500, "on purpose", "/a"]]);
      assert.equal(answer.status, 500);
      assert.equal(answer.content.toString(), '{"error":500}');
      assert.deepEqual(values(answer.rawHeaders, "content-type"), ["application/json"]);
      assert.deepEqual(values(answer.rawHeaders, "x-dressed"), ["yes"]);
      assert.deepEqual(values(answer.rawHeaders, "transfer-encoding"), []);
      assert.deepEqual(values(answer.rawHeaders, "content-length"), ["13"]);
      assert.equal(stage.errors.length, 1);
    },
  },
  {
    clauses: ["11.7", "11.1"],
    title: "an app is told the status that the error has",
    app: (stage) => ({
      handle: () => {
        throw Object.assign(new Error("no coffee"), { name: "HttpError", status: 418 });
      },
      onServerAnswer: ({ status }) => {
        stage.note(status);
        return { body: "a teapot" };
      },
    }),
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.status, answer.content.toString()], [418, "a teapot"]);
      assert.deepEqual(stage.notes, [418]);
    },
  },
  {
    clauses: ["11.7"],
    title: "an app that returns nothing leaves the answer as it is",
    app: () => dressing(() => undefined),
    async run(stage) {
      const answer = await stage.exchange();
      assert.equal(answer.status, 500);
      assert.ok(!answer.content.toString().includes("on purpose"));
    },
  },
  ...["throws", "returns a promise", "sets a field with CR"].map(
    (what): Case => ({
      clauses: ["11.7", "6.3.2"],
      title: `an app whose onServerAnswer ${what} gets the plain answer, and a report`,
      app: () =>
        dressing(() => {
          if (what === "throws") throw new Error("undressed");
          if (what === "returns a promise") return Promise.resolve({}) as unknown as undefined;
          return { headers: { "x-split": "a\r\nb: c" } };
        }),
      async run(stage) {
        const answer = await stage.exchange();
        assert.equal(answer.status, 500);
        assert.deepEqual(values(answer.rawHeaders, "x-split"), []);
        await stage.until(() => stage.errors.length === 2, "both reports");
      },
    }),
  ),
  {
    clauses: ["11.7", "13.4"],
    title: "a request that was not understood is dressed too",
    needs: ["dressed-refusals"],
    wire: true,
    app: (stage) =>
      dressing(({ status, request }) => {
        stage.note([status, request]);
        return { headers: { "x-dressed": "yes" }, body: "no" };
      }),
    async run(stage) {
      const client = await stage.open();
      client.send(GET.replace("Host: a", "Host a"));
      const answer = await client.response();
      assert.deepEqual(stage.notes, [[400, undefined]]);
      assert.deepEqual([answer.status, answer.content.toString()], [400, "no"]);
      assert.deepEqual(values(answer.rawHeaders, "x-dressed"), ["yes"]);
    },
  },
];
