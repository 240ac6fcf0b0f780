/** Section 6.7.3: Content-Length by method and status. */
import assert from "node:assert/strict";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";

/** Content-Length of an answer: what an app gives, and what is sent; "error" for a refusal. */
interface Row {
  readonly method: string;
  readonly status: number;
  readonly content: string | null;
  readonly declared?: string;
  readonly sent: string | undefined | "error";
}

const ROWS: readonly Row[] = [
  { method: "GET", status: 200, content: "abc", sent: "3" },
  { method: "GET", status: 200, content: null, sent: "0" },
  { method: "GET", status: 200, content: null, declared: "0", sent: "0" },
  { method: "GET", status: 200, content: null, declared: "5", sent: "error" },
  { method: "HEAD", status: 200, content: "abc", sent: "3" },
  { method: "HEAD", status: 200, content: null, declared: "5", sent: "5" },
  { method: "HEAD", status: 200, content: null, sent: "0" },
  { method: "GET", status: 304, content: "abc", sent: "3" },
  { method: "GET", status: 304, content: null, declared: "5", sent: "5" },
  { method: "GET", status: 304, content: null, declared: "0", sent: "0" },
  { method: "GET", status: 304, content: null, sent: undefined },
  { method: "HEAD", status: 304, content: null, declared: "5", sent: "5" },
  { method: "GET", status: 204, content: "abc", sent: undefined },
  { method: "GET", status: 204, content: null, sent: undefined },
  { method: "HEAD", status: 204, content: null, sent: undefined },
  { method: "GET", status: 205, content: "abc", sent: "0" },
  { method: "GET", status: 205, content: null, sent: "0" },
];

export const framingTableCases: readonly Case[] = ROWS.map(
  ({ method, status, content, declared, sent }): Case => ({
    clauses: ["6.7.3", ...(status === 200 ? ["6.5.1"] : ["6.7.2"])],
    title: `${method} ${status} with ${content === null ? "no content" : "content"}${declared === undefined ? "" : `, declared ${declared}`}: ${sent ?? "no Content-Length"}`,
    app: () => (_request, respond) =>
      respond(status, declared === undefined ? null : { "content-length": declared }, content),
    async run(stage) {
      const answer = await stage.exchange({ method });
      if (sent === "error") {
        assert.equal(answer.status, 500);
        return;
      }
      assert.equal(answer.status, status);
      assert.deepEqual(values(answer.rawHeaders, "content-length"), sent === undefined ? [] : [sent]);
      const hasContent = method === "GET" && status === 200;
      assert.equal(answer.content.toString(), hasContent ? (content ?? "") : "");
    },
  }),
);
