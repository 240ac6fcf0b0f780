/** An app names the routes of its requests: the label `http_route`, for each kind of app, through the built command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

async function serve(context: TestContext, app: string, ...args: readonly string[]) {
  const folder = temporaryFolder(context);
  const [path, control] = [join(folder, "app.sock"), join(folder, "c.ctl")];
  const words = [join(FIXTURES, "routes", app), "-b", `unix:${path}`, "--control-socket", control, ...args];
  const command = startCommand(context, words);
  await command.ready();
  const routes = async (): Promise<{ [labels: string]: number }> => {
    const { text } = await ask({ path: control }, "/metrics");
    const lines = text.matchAll(/^http_server_request_duration_seconds_count\{(.*)\} (\d+)$/gm);
    const all = [...lines].map(([, labels = "", count]) => [labelsOf(labels), Number(count)] as const);
    return Object.fromEntries(all);
  };
  return { command, tell: (target: string, body?: string) => ask({ path }, target, body), routes };
}

/** Method, status and route. */
function labelsOf(labels: string): string {
  const one = (name: string): string =>
    new RegExp(`(?:^|,)${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(labels)?.[1] ?? "-";
  return [one("http_request_method"), one("http_response_status_code"), one("http_route")].join(" ");
}

for (const [app, notFound, log] of [
  ["hono.mjs", 404, true],
  ["express.mjs", 404, false],
  ["fastify.mjs", 404, true],
  ["koa.mjs", 404, false],
] as const) {
  test(`a route and a wrong request: ${app}`, async (context) => {
    const logs = log ? ["--access-logfile", join(temporaryFolder(context), "access.log")] : [];
    const { command, tell, routes } = await serve(context, app, ...logs);
    for (const target of ["/users/1", "/users/2"]) assert.equal((await tell(target)).status, 200);
    assert.equal((await tell("/nowhere")).status, notFound);
    assert.equal((await tell("/foreign")).status, 500);
    const expected: { [labels: string]: number } = {
      "GET 200 /users/:id": 2,
      [`GET ${notFound} -`]: 1,
      // Hono and Express run what names the route after the error, Fastify before it.
      [app === "koa.mjs" ? "GET 500 -" : "GET 500 /foreign"]: 1,
    };
    if (app === "hono.mjs") {
      assert.equal((await tell("/users/3", "content")).text, "content");
      expected["POST 200 /users/:id"] = 1;
    }
    await until("all are counted", async () => {
      const counted = await routes();
      return Object.values(counted).reduce((sum, count) => sum + count, 0) >= (app === "hono.mjs" ? 5 : 4);
    });
    assert.deepEqual(await routes(), expected);
    if (app === "hono.mjs") await command.line(/setRoute takes the request as tsgun gave it to the app/);
  });
}

test("a gateway app: derived and linted requests, odd characters, too many routes", async (context) => {
  const { tell, routes } = await serve(context, "gateway.mjs:handler");
  for (const target of ["/users/1", "/users/2", "/", "/odd"]) assert.equal((await tell(target)).status, 200);
  for (let index = 0; index < 205; index += 1) await tell(`/raw/${index}`);
  const counted = await until("all are counted", async () => {
    const now = await routes();
    return Object.values(now).reduce((sum, count) => sum + count, 0) === 209 && now;
  });
  assert.deepEqual(
    ["GET 200 /users/:id", "GET 200 -", 'GET 200 a?b\\"c\\\\d??', "GET 200 /raw/197", "GET 200 /raw/198"].map(
      (labels) => counted[labels],
    ),
    [2, 1, 1, 1, undefined],
  );
  assert.equal(counted["GET 200 _other"], 7);
});
