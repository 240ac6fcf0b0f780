/** A real browser against the built command: the page shows what its script received. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";

const APP = `${join(FIXTURES, "browser", "app.mjs")}:handler`;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  "--dump-dom",
];

/** The text of each line of the page. */
const EXPECTED = {
  json: "grüße €",
  form: "true name=J+%26+K",
  upload: "3000000 a=1; b=2",
  stream: "line 1, line 2, line 3, line 4, line 5 in pieces",
  events: "1: event 1, 2: event 2, 3: event 3",
  empty: "204",
  missing: "404",
  broken: "failed: TypeError",
  parallel: "each its own",
};

test("a page loads, and its script fetches, posts, uploads, streams and sees a broken response", async (t) => {
  if (!hasComponent(t, "chromium")) return;
  // One worker: the page counts as loaded when an image arrives, which the app delays until the script is done.
  const server = startCommand(t, [APP, "--bind", "127.0.0.1:0", "--workers", "1"]);
  await server.ready();
  const flags = [...FLAGS, `--user-data-dir=${temporaryFolder(t)}`];
  const { stdout } = await promisify(execFile)(
    "chromium",
    [...flags, `http://127.0.0.1:${await server.port()}/`],
    { timeout: 60_000, killSignal: "SIGKILL" },
  );
  const lines = [...stdout.matchAll(/<li id="(\w+)">([^<]*)<\/li>/g)];
  const shown = lines.map(([, id, text]) => [id, text?.replaceAll("&amp;", "&")]);
  assert.deepEqual(Object.fromEntries(shown), EXPECTED, stdout);
  assert.match(stdout, /<title>done<\/title>/);
  await server.end();
  assert.match(server.stderr, /the app destroyed the response/);
});
