/** `tsgun dev` through the built command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand, until } from "../support/command.ts";
import { Development, type Files } from "../support/development.ts";

const APP: Files = {
  "app.mjs": `export const handler = (request, respond) => {
    if (request.path === "/fails") throw new Error("the reason");
    respond(200, {}, process.env.NODE_ENV ?? "unset");
  };`,
};

/** `Development` without options of its own. */
function dev(context: Parameters<typeof startCommand>[0], files: Files, ...words: string[]): Development {
  return new Development(context, files, ["dev", ...words, "-b", "127.0.0.1:0"]);
}

test("tsgun dev reloads, shows errors and sets NODE_ENV", async (context) => {
  const server = dev(context, APP, "app.mjs");
  await server.answers("development");
  const port = await server.command.port();
  const failed = await ask({ port }, "/fails");
  assert.equal(failed.status, 500);
  await until("the request has its line", () =>
    /"GET \/fails HTTP\/1\.1" 500 \d+ \d+ms\n/.test(server.command.stdout),
  );
  assert.match(failed.text, /Error: the reason\n +at .*handler.* .*app\.mjs:2/);
  assert.doesNotMatch(failed.text, /run-?handler|http-parser/i);
  server.write("app.mjs", "export const handler = (_, respond) => respond(200, {}, 'second');");
  await server.answers("second");
});

test("tsgun dev stops on HUP, and says that it is not the terminal that has closed", async (context) => {
  const server = dev(context, APP, "app.mjs");
  await server.answers("development");
  assert.deepEqual(await server.command.end("SIGHUP"), { code: 0, signal: null });
  assert.equal(
    server.command.lines(/HUP stops tsgun dev, which reloads changed files itself: stopping the server$/)
      .length,
    1,
  );
});

test("tsgun dev shows why the app does not start, until it is fixed", async (context) => {
  const server = dev(context, { "app.mjs": "throw new Error('no database');" }, "app.mjs");
  await server.command.line(/Waiting until a file changes/);
  const { status, text } = await ask({ port: await server.command.port() });
  assert.equal(status, 503);
  assert.match(text, /^503 Service Unavailable\n\ncannot load app\.mjs: no database \(at app\.mjs:1\)\n/);
  server.write("app.mjs", "export const handler = (_, respond) => respond(200, {}, 'mended');");
  await server.answers("mended");
});

test("other sources override tsgun dev's defaults", async (context) => {
  const config = (text: string): string =>
    `{ "app": "app.mjs", "showErrors": false, "env": { "NODE_ENV": "${text}" } }`;
  const server = dev(context, { ...APP, "tsgun.config.json": config("first") });
  await server.answers("first");
  const failed = await ask({ port: await server.command.port() }, "/fails");
  assert.equal(failed.text, "500 Internal Server Error\n");
  server.write("tsgun.config.json", config("second"));
  await server.answers("second");
  await server.command.line(/Reloading: tsgun\.config\.json changed: generation 2$/);
});

test("tsgun dev reloads an Express app, and Express shows its own errors", async (context) => {
  const express = join(import.meta.dirname, "..", "..", "node_modules", "express", "index.js");
  const source = (text: string): string => `
    import express from ${JSON.stringify(express)};
    export const app = express();
    app.get("/", (_request, response) => response.send("${text}"));
    app.get("/fails", () => { throw new Error("the reason"); });`;
  const server = dev(context, { "app.mjs": source("first") }, "app.mjs");
  await server.answers("first");
  server.write("app.mjs", source("second"));
  await server.answers("second");
  assert.match((await ask({ port: await server.command.port() }, "/fails")).text, /the reason/);
});

test("the help of tsgun dev is that of tsgun, with the different defaults", async (context) => {
  const command = startCommand(context, ["dev", "--help"]);
  assert.deepEqual(await command.ended(), { code: 0, signal: null });
  assert.match(command.stdout, /^Usage: tsgun dev \[options\] \[APP\]/);
  assert.match(command.stdout, /--workers/);
  assert.match(command.stdout, /Defaults of tsgun dev that differ .*:\n {2}--reload\n {2}--show-errors\n/);
});
