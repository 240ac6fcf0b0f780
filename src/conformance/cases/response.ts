/** Sections 6.1 to 6.3: the forms of an answer, its status and fields. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import type { HeadersInput } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { connectionOptions, refused, respondWith } from "./shared.ts";

const formCases: readonly Case[] = [
  {
    clauses: ["6.1.1", "6.1.2"],
    title: "respond returns undefined with a body, and a writer without",
    app: (stage) => (request, respond) => {
      if (request.path === "/whole") stage.note(respond(200, undefined, "whole"));
      else {
        const writer = respond(200, null);
        stage.note(typeof writer.end);
        void writer.end("written");
      }
    },
    async run(stage) {
      assert.equal((await stage.exchange({ target: "/whole" })).content.toString(), "whole");
      assert.equal((await stage.exchange({ target: "/writer" })).content.toString(), "written");
      assert.deepEqual(stage.notes, [undefined, "function"]);
    },
  },
  {
    clauses: ["6.1.2"],
    title: "undefined as content is an error, and leaves the request unanswered",
    app: () => (_request, respond) => {
      try {
        respond(200, null, undefined as unknown as string);
      } catch (error) {
        respond(200, null, (error as Error).name);
      }
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "GatewayError");
    },
  },
  {
    clauses: ["6.1.3"],
    title: "respond works without this",
    app: () => (_request, respond) => {
      const { call } = Function.prototype;
      call.call(respond, null, 200, null, "no this");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "no this");
    },
  },
  {
    clauses: ["6.1.3", "8.1"],
    title: "a response to a disconnected client is discarded and its stream is closed",
    wire: true,
    app: (stage) => async (request, respond) => {
      const gone = new Promise<void>((resolve) => {
        respond.finished().catch(() => resolve());
      });
      stage.note(request.signal.aborted);
      await gone;
      const stream = new Readable({ read() {} });
      try {
        respond.informational(103, { link: "</a>" });
        respond(200, null, stream);
        stage.note("no throw");
      } catch (error) {
        stage.note(error);
      }
      await stage.until(() => stream.destroyed, "the stream to be released");
      stage.note("released");
    },
    async run(stage) {
      const client = await stage.open();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await stage.until(() => stage.notes.length > 0, "the request");
      client.reset();
      await stage.until(() => stage.notes.length > 2, "the late answer");
      assert.deepEqual(stage.notes, [false, "no throw", "released"]);
      assert.deepEqual(stage.errors, []);
    },
  },
];

const BAD_STATUSES: unknown[] = [100, 101, 199, 600, 200.5, Number.NaN, "200", undefined];

const fieldsOfEachForm: { readonly [form: string]: HeadersInput } = {
  object: { "X-Text": "a", "x-number": 7, "set-cookie": ["a=1", "b=2"], "x-none": undefined },
  pairs: [
    ["X-Text", "a"],
    ["x-number", "7"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ],
  Headers: new Headers([
    ["X-Text", "a"],
    ["x-number", "7"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]),
  generator: {
    *[Symbol.iterator](): Generator<readonly [string, string]> {
      yield ["X-Text", "a"];
      yield ["x-number", "7"];
      yield ["set-cookie", "a=1"];
      yield ["set-cookie", "b=2"];
    },
  },
};

const BAD_FIELDS: readonly HeadersInput[] = [
  { "x-a": "a\r\ninjected: b" },
  { "x-a": "a\nb" },
  { "x-a": "a\rb" },
  { "x-a": "a\0b" },
  { "x-a": "a\u0100b" },
  { "x-a": "\u007f" },
  { "x-a": ["fine", "a\r\ninjected: b"] },
  { "": "a" },
  { "x a": "a" },
  { "x-a:": "a" },
  { "x-a\r\ninjected: b\r\nx": "a" },
  { "x-\u00e9": "a" },
  [["x-a", "a\r\ninjected: b"]],
  { "x-a": {} as unknown as string },
  "x-a: b" as unknown as HeadersInput,
];

const RAW: readonly (readonly [string, string])[] = [
  ["X-B", "2"],
  ["x-a", "one, two"],
  ["X-B", "1"],
  ["Set-Cookie", "a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT"],
  ["set-cookie", "b=2"],
  ["X-Latin", "caf\u00e9"],
];

const fieldCases: readonly Case[] = [
  ...BAD_STATUSES.map((status) =>
    refused(["6.2.1", "6.6.3"], `the status ${String(status)} is refused`, (_request, respond) =>
      respond(status as number, null, "never"),
    ),
  ),
  ...[200, 299, 404, 418, 599].map(
    (status): Case => ({
      clauses: ["6.2.1"],
      title: `the status ${status} is sent`,
      app: respondWith(status, null, "content"),
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.status, answer.content.toString()], [status, "content"]);
      },
    }),
  ),
  ...Object.entries(fieldsOfEachForm).map(
    ([form, headers]): Case => ({
      clauses: ["6.3.1"],
      title: `headers can be: ${form}`,
      app: respondWith(200, headers, "x"),
      async run(stage) {
        const { rawHeaders } = await stage.exchange();
        assert.deepEqual(values(rawHeaders, "x-text"), ["a"]);
        assert.deepEqual(values(rawHeaders, "x-number"), ["7"]);
        assert.deepEqual(values(rawHeaders, "set-cookie"), ["a=1", "b=2"]);
        assert.deepEqual(values(rawHeaders, "x-none"), []);
      },
    }),
  ),
  ...BAD_FIELDS.flatMap((headers) =>
    ["whole", "writer"].map((form) =>
      refused(["6.3.2", "6.6.3"], `${JSON.stringify(headers)} is refused, ${form}`, (_request, respond) =>
        form === "whole" ? respond(200, headers, "never") : respond(200, headers),
      ),
    ),
  ),
  {
    clauses: ["6.3.2"],
    title: "tabs, spaces and Latin-1 are sent byte by byte",
    app: respondWith(200, { "x-a": "a \t\u00e9\u00ff~" }, "x"),
    async run(stage) {
      assert.deepEqual(values((await stage.exchange()).rawHeaders, "x-a"), ["a \t\u00e9\u00ff~"]);
    },
  },
  {
    clauses: ["6.3.3"],
    title: "fields keep their order and number, and are not joined",
    app: respondWith(200, RAW, "x"),
    async run(stage) {
      const { rawHeaders } = await stage.exchange();
      const ours = new Set(["x-a", "x-b", "set-cookie", "x-latin"]);
      const sent: [string, string][] = [];
      for (let index = 0; index < rawHeaders.length; index += 2) {
        const name = (rawHeaders[index] as string).toLowerCase();
        if (ours.has(name)) sent.push([name, rawHeaders[index + 1] as string]);
      }
      assert.deepEqual(
        sent,
        RAW.map(([name, value]) => [name.toLowerCase(), value]),
      );
    },
  },
  {
    clauses: ["6.3.4"],
    title: "framing fields set by the app are not sent",
    notUnderLint: "lint refuses them",
    app: respondWith(
      200,
      {
        "transfer-encoding": "gzip",
        "keep-alive": "timeout=9",
        "proxy-connection": "keep-alive",
        connection: "x-a",
      },
      "content",
    ),
    async run(stage) {
      const { rawHeaders, content } = await stage.exchange();
      assert.deepEqual(values(rawHeaders, "transfer-encoding"), []);
      assert.deepEqual(values(rawHeaders, "proxy-connection"), []);
      assert.ok(!values(rawHeaders, "keep-alive").includes("timeout=9"));
      assert.ok(!values(rawHeaders, "connection").some((value) => value.includes("x-a")));
      assert.equal(content.toString(), "content");
    },
  },
  ...[
    { how: "whole", target: "/", connection: ["upgrade"] },
    { how: "from a writer", target: "/writer", connection: ["upgrade"] },
    { how: "to HEAD", target: "/", method: "HEAD", connection: ["upgrade"] },
    { how: "with close", target: "/close", connection: ["close", "upgrade"] },
  ].map(
    ({ how, connection, ...request }): Case => ({
      clauses: ["6.3.4"],
      title: `Upgrade in a response ${how} adds the upgrade option to Connection`,
      app: () => (request, respond) => {
        const headers = { Upgrade: "websocket", ...(request.path === "/close" && { connection: "close" }) };
        if (request.path === "/writer") void respond(426, headers).end("upgrade");
        else respond(426, headers, "upgrade");
      },
      async run(stage) {
        const { status, rawHeaders } = await stage.exchange(request);
        assert.deepEqual([status, values(rawHeaders, "upgrade")], [426, ["websocket"]]);
        assert.deepEqual(connectionOptions(rawHeaders), connection);
      },
    }),
  ),
  {
    clauses: ["6.3.4", "13.3"],
    title: "Upgrade in a response does not change whether an HTTP/1.0 connection is kept",
    wire: true,
    app: respondWith(426, { upgrade: "websocket" }, "upgrade"),
    async run(stage) {
      const kept = await stage.open();
      kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      const stays = await kept.response();
      assert.deepEqual(connectionOptions(stays.rawHeaders), ["keep-alive", "upgrade"]);
      const closed = await stage.open();
      closed.send("GET / HTTP/1.0\r\n\r\n");
      const goes = await closed.response();
      assert.deepEqual(connectionOptions(goes.rawHeaders), ["close", "upgrade"]);
      await closed.until(() => closed.ended, "the end of the connection");
    },
  },
  {
    clauses: ["6.3.4"],
    title: "an app can ask to close the connection",
    wire: true,
    app: respondWith(200, { connection: "close" }, "last"),
    async run(stage) {
      const client = await stage.open();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const answer = await client.response();
      assert.deepEqual(values(answer.rawHeaders, "connection"), ["close"]);
      await client.until(() => client.ended, "the end of the connection");
    },
  },
  {
    clauses: ["6.3.5"],
    title: "Date is added, Content-Type is not",
    app: () => (request, respond) => {
      if (request.path === "/own") respond(200, { date: "Thu, 01 Jan 1970 00:00:00 GMT" }, "x");
      else respond(200, null, "x");
    },
    async run(stage) {
      const added = await stage.exchange();
      assert.equal(values(added.rawHeaders, "date").length, 1);
      assert.ok(Math.abs(Date.parse(added.headers.date as string) - Date.now()) < 60_000);
      assert.deepEqual(values(added.rawHeaders, "content-type"), []);
      const own = await stage.exchange({ target: "/own" });
      assert.deepEqual(values(own.rawHeaders, "date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
    },
  },
];

export const responseCases: readonly Case[] = [...formCases, ...fieldCases];
