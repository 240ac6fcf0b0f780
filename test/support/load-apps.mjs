/**
 * Loads apps with the built loader in a process that knows no TypeScript yet, as a worker does, and asks
 * each for `GET /`. Reads a JSON list of { spec, interface, cwd, ask } from its argument, prints one of results.
 */
import { createServer } from "node:http";
import { inject } from "../../dist/interop/testing.js";
import { loadApp } from "../../dist/loader/load.js";

/** Throws what a server would have logged. */
async function askGateway(app) {
  const answer = await inject(app);
  if (answer.errors.length > 0) throw answer.errors[0];
  return { status: answer.status, body: answer.text() };
}

async function askNode(loaded) {
  await loaded.startup?.();
  const upgrades = loaded.upgrade !== undefined;
  const server = createServer(loaded.listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`, {
    headers: { connection: "close" },
  });
  const answer = { status: response.status, body: await response.text(), upgrades };
  await new Promise((resolve) => server.close(resolve));
  await loaded.shutdown?.();
  return answer;
}

/** Everything about an error that a test looks at, causes included. */
function described(error) {
  if (!(error instanceof Error)) return error === undefined ? undefined : { thrown: String(error) };
  const { name, message, stack, exitCode, cause } = error;
  return { name, message, stack, exitCode, cause: described(cause) };
}

async function attempt({ spec, interface: wanted, cwd, ask = true }) {
  let loaded;
  try {
    loaded = await loadApp(spec, { interface: wanted ?? "auto", cwd });
  } catch (error) {
    return { failed: described(error) };
  }
  const result = { kind: loaded.kind, what: loaded.what, hooks: hooksInstalled() };
  if (!ask) return result;
  try {
    result.answer = await (loaded.kind === "gateway" ? askGateway(loaded.app) : askNode(loaded));
  } catch (error) {
    result.threw = described(error);
  }
  return result;
}

/** The mark that the TypeScript hooks leave in a process. */
function hooksInstalled() {
  return Symbol.for("@oxc-node/core:helperResolvers") in globalThis;
}

const results = [];
for (const job of JSON.parse(process.argv[2])) results.push(await attempt(job));
process.stdout.write(JSON.stringify(results), () => process.exit());
