/** Sections 3.3.3 and 12.6: the work that a worker waits for before it shuts its app down. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { App, Handler } from "../../gateway/types.ts";
import type { Case, Stage } from "../stage.ts";
import { turns } from "./shared.ts";

/** Waits before it notes that it is done, so that an early shutdown would come first. */
async function work(stage: Stage): Promise<void> {
  await pause(50);
  stage.note("worked");
}

function closing(stage: Stage, handle: Handler): App {
  return { handle, shutdown: () => void stage.note("shutdown") };
}

export const workCases: readonly Case[] = [
  {
    clauses: ["3.3.3"],
    title: "shutdown waits for an answer that the handler has not returned",
    app: (stage) =>
      closing(stage, (_request, respond) => {
        stage.note("handled");
        const leave = stage.until(() => stage.notes.includes("closing"), "the end of the server");
        leave.then(async () => {
          await turns(5);
          stage.note("answered");
          respond(200, null, "late");
        });
      }),
    async run(stage) {
      const exchange = stage.exchange();
      await stage.until(() => stage.notes.length > 0, "the request");
      // A server may take its time to begin with the end.
      const closed = stage.subject.close();
      stage.note("closing");
      assert.equal((await exchange).content.toString(), "late");
      await closed;
      assert.deepEqual(stage.notes, ["handled", "closing", "answered", "shutdown"]);
    },
  },
  {
    clauses: ["3.3.3"],
    title: "shutdown waits for what a handler still does after its answer",
    app: (stage) =>
      closing(stage, async (_request, respond) => {
        respond(200, null, "answered");
        await work(stage);
      }),
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "answered");
      await stage.subject.close();
      await stage.until(() => stage.notes.length === 2, "both");
      assert.deepEqual(stage.notes, ["worked", "shutdown"]);
    },
  },
  {
    clauses: ["12.6", "3.3.3"],
    title: "shutdown waits for a promise that was given to waitUntil",
    app: (stage) =>
      closing(stage, (request, respond) => {
        request.waitUntil(work(stage));
        respond(200, null, "answered");
      }),
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "answered");
      await stage.subject.close();
      await stage.until(() => stage.notes.length === 2, "both");
      assert.deepEqual(stage.notes, ["worked", "shutdown"]);
    },
  },
  {
    clauses: ["12.6"],
    title: "a rejection is reported with the id, and harms nothing",
    app: (stage) => (request, respond) => {
      request.waitUntil(Promise.reject(new Error("in vain")));
      stage.note(request.id);
      respond(200, null, "answered");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "answered");
      await stage.until(() => stage.errors.length === 1, "the report");
      assert.deepEqual([stage.errors[0]?.error.message, stage.errors[0]?.id], ["in vain", stage.notes[0]]);
    },
  },
  {
    clauses: ["12.6"],
    title: "anything but a promise is refused",
    app: () => (request, respond) => {
      try {
        request.waitUntil("soon" as unknown as Promise<void>);
        respond(200, null, "taken");
      } catch (error) {
        respond(200, null, (error as Error).name);
      }
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "GatewayError");
    },
  },
];
