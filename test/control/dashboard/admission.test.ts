/** Access to the dashboard of the built command, by address, name, proxy, token and session; secrets stay secret. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  COMMAND,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
} from "../../support/command.ts";

const TOKEN = "a-token-of-some-length";
const ENVIRONMENT_APP = `import { createServer } from "node:http";
createServer((request, response) => response.end(JSON.stringify(process.env))).listen(3000);
`;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

type Place = { readonly port: number } | { readonly socketPath: string };

/** One request, as a browser or curl would send it. */
function ask(place: Place, path: string, { method, headers = {}, body }: Asking = {}): Promise<Answer> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...("port" in place ? { ...place, host: "127.0.0.1" } : place),
        path,
        method: method ?? (sent === undefined ? "GET" : "POST"),
        headers: { ...(sent !== undefined && { "content-type": "application/json" }), ...headers },
        agent: false,
        signal: AbortSignal.timeout(30_000),
      },
      async (incoming) => {
        let text = "";
        for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
      },
    );
    outgoing.once("error", reject);
    outgoing.end(sent);
  });
}

interface Served {
  readonly command: RunningCommand;
  readonly place: { readonly port: number };
}

async function serve(
  context: TestContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Served> {
  const folder = temporaryFolder(context);
  const words = [
    "pool/echo.mjs",
    "-b",
    "127.0.0.1:0",
    "-w",
    "1",
    "--control-socket",
    join(folder, "c.ctl"),
    ...args,
  ];
  const command = startCommand(context, words, { env });
  await command.ready();
  const line = await command.line(/Health at: http:\/\//);
  return { command, place: { port: Number(/:(\d+)$/.exec(line.trim())?.[1]) } };
}

test("on a loopback address", async (context) => {
  const { place, command } = await serve(context, ["--admin-bind", "127.0.0.1:0"]);
  await context.test(
    "on a loopback address the dashboard is open to this machine, by its own names and without a proxy",
    async () => {
      const page = await ask(place, "/dashboard/");
      assert.equal(page.status, 200);
      const { port } = place as { port: number };
      await command.line(new RegExp(`Dashboard at: http://127\\.0\\.0\\.1:${port}/dashboard/$`));
      assert.match(
        String(page.headers["content-security-policy"]),
        /^default-src 'none'; script-src 'self';/,
      );
      assert.equal(page.headers["x-content-type-options"], "nosniff");
      assert.equal(page.headers["referrer-policy"], "no-referrer");
      assert.equal(page.headers["cross-origin-opener-policy"], "same-origin");
      assert.equal((await ask(place, "/dashboard/api/session")).status, 200);

      // The page is asked for again only in case that it has changed.
      const again = await ask(place, "/dashboard/", {
        headers: { "if-none-match": page.headers.etag as string },
      });
      assert.deepEqual([again.status, again.text], [304, ""]);
      for (const path of ["/", "/dashboard"]) {
        const { status, headers } = await ask(place, path);
        assert.deepEqual([status, headers.location], [302, "dashboard/"]);
      }

      // A page of another site, whose name was made to mean this machine.
      const rebound = { host: "evil.example:9000" };
      for (const path of ["/dashboard/", "/dashboard/dashboard.js", "/dashboard/api/session"]) {
        const { status, text } = await ask(place, path, { headers: rebound });
        assert.equal(status, 403, path);
        assert.match(text, /not to the Host .*evil\.example:9000.*; set admin-token or admin-token-file/);
      }
      assert.equal(
        (await ask(place, "/dashboard/api/session", { headers: { "x-forwarded-for": "10.0.0.1" } })).status,
        403,
      );
      // Probes come by any name.
      assert.equal((await ask(place, "/health/ready", { headers: rebound })).status, 200);
    },
  );

  await context.test(
    "a command needs the page's own origin, its token against forgery, and JSON",
    async () => {
      const { csrf } = JSON.parse((await ask(place, "/dashboard/api/session")).text) as { csrf: string };
      const good = {
        "x-tsgun-csrf": csrf,
        origin: `http://127.0.0.1:${place.port}`,
        "sec-fetch-site": "same-origin",
      };
      const refused: [headers: Record<string, string>, status: number][] = [
        [{ ...good, "x-tsgun-csrf": "" }, 403],
        [{ ...good, "x-tsgun-csrf": `${csrf}x` }, 403],
        [{ ...good, origin: "http://evil.example" }, 403],
        [{ ...good, "sec-fetch-site": "cross-site" }, 403],
        [{ ...good, "content-type": "text/plain" }, 415],
        [{ ...good, host: "evil.example" }, 403],
        [{ ...good, "x-forwarded-for": "10.0.0.1" }, 403],
      ];
      const [worker] = command.workers();
      for (const path of ["reload", "scale", `workers/${worker}/restart`])
        for (const [headers, status] of refused) {
          const found = await ask(place, `/dashboard/api/${path}`, { headers, body: { workers: 2 } });
          assert.equal(found.status, status, `${path} ${JSON.stringify(headers)}: ${found.text}`);
        }
      const { "x-tsgun-csrf": _csrf, ...without } = good;
      assert.equal((await ask(place, "/dashboard/api/reload", { headers: without, body: {} })).status, 403);
      assert.deepEqual(command.workers(), [worker]);
      assert.equal(command.lines(/HUP|reload/i).length, 0, command.stderr);

      const wrong = await ask(place, "/dashboard/api/scale", { headers: good, body: { workers: "two" } });
      assert.equal(wrong.status, 400);
      const done = await ask(place, "/dashboard/api/scale", { headers: good, body: { workers: 2 } });
      assert.deepEqual([done.status, JSON.parse(done.text)], [200, { ok: true, message: "2 workers ready" }]);
    },
  );

  await context.test("the admin listener changes nothing by any other path", async () => {
    const { csrf } = JSON.parse((await ask(place, "/dashboard/api/session")).text) as { csrf: string };
    const headers = { "x-tsgun-csrf": csrf };
    for (const path of [
      "/reload",
      "/stop",
      "/scale",
      "/reopen",
      "/upgrade",
      "/dashboard/api/stop",
      "/dashboard/api/upgrade",
    ]) {
      const { status } = await ask(place, path, { headers, body: { workers: 2 } });
      assert.equal(status, 404, path);
    }
    for (const path of ["/dashboard/api/reload", "/dashboard/api/scale"])
      assert.equal((await ask(place, path, { headers })).status, 405, path);
  });
});

test("elsewhere the dashboard names the setting that it needs; health stays open", async (context) => {
  const { place } = await serve(context, ["--admin-bind", "0.0.0.0:0"]);
  for (const path of ["/dashboard/", "/dashboard/api/session"]) {
    const { status, text } = await ask(place, path);
    assert.equal(status, 403);
    assert.match(text, /loopback address or a Unix socket; set admin-token or admin-token-file/);
  }
  assert.equal((await ask(place, "/health/live")).status, 200);
});

test("with a token a session needs it, commands need both, and wrong ones are slowed down", async (context) => {
  const file = join(temporaryFolder(context), "token");
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  const { place } = await serve(context, ["--admin-bind", "0.0.0.0:0", "--admin-token-file", file]);
  const origin = `http://127.0.0.1:${place.port}`;
  assert.equal((await ask(place, "/dashboard/")).status, 200);
  const without = await ask(place, "/dashboard/api/session");
  assert.deepEqual([without.status, without.headers["www-authenticate"]], [401, 'Bearer realm="tsgun"']);
  assert.equal((await ask(place, "/dashboard/api/reload", { body: {} })).status, 401);

  const foreign = { origin: "http://evil.example" };
  assert.equal(
    (await ask(place, "/dashboard/api/login", { headers: foreign, body: { token: TOKEN } })).status,
    403,
  );
  assert.equal((await ask(place, "/dashboard/api/login", { body: { token: 5 } })).status, 400);
  const login = await ask(place, "/dashboard/api/login", { headers: { origin }, body: { token: TOKEN } });
  assert.equal(login.status, 200);
  const [cookie = ""] = (login.headers["set-cookie"]?.[0] ?? "").split(";");
  const session = await ask(place, "/dashboard/api/session", { headers: { cookie } });
  const { csrf, hasSession } = JSON.parse(session.text) as { csrf: string; hasSession: boolean };
  assert.deepEqual([session.status, hasSession], [200, true]);
  assert.ok(!session.text.includes(TOKEN));
  const forged = await ask(place, "/dashboard/api/scale", {
    headers: { cookie, origin },
    body: { workers: 1 },
  });
  assert.equal(forged.status, 403);
  const done = await ask(place, "/dashboard/api/scale", {
    headers: { cookie, origin, "x-tsgun-csrf": csrf },
    body: { workers: 1 },
  });
  assert.equal(done.status, 200);
  const bearer = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await ask(place, "/dashboard/api/session", { headers: bearer })).status, 200);

  const statuses: number[] = [];
  for (let index = 0; index < 12; index++)
    statuses.push(
      (await ask(place, "/dashboard/api/login", { headers: { origin }, body: { token: `guess ${index}` } }))
        .status,
    );
  assert.deepEqual(statuses, [...new Array(10).fill(401), 429, 429]);
  assert.equal((await ask(place, "/dashboard/api/session", { headers: { cookie } })).status, 200);
});

test("the token reaches neither the workers, nor the log, nor --print-config", async (context) => {
  const folder = temporaryFolder(context);
  const app = join(folder, "app.mjs");
  writeFileSync(app, ENVIRONMENT_APP);
  const env = { TSGUN_ADMIN_TOKEN: TOKEN };
  const args = [app, "-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", "--log-level", "debug"];
  const command = startCommand(context, [...args, "--control-socket", join(folder, "c.ctl")], { env });
  await command.ready();
  const line = await command.line(/Health at: /);
  const admin = { port: Number(/:(\d+)$/.exec(line.trim())?.[1]) };
  assert.equal((await ask(admin, "/dashboard/api/session")).status, 401);
  const { text } = await ask({ port: await command.port() }, "/");
  assert.match(text, /"PATH"/);
  assert.ok(!text.includes(TOKEN) && !command.stderr.includes(TOKEN));
  const printed = await promisify(execFile)(process.execPath, [COMMAND, ...args, "--print-config"], {
    env: { ...process.env, ...env },
  });
  assert.match(printed.stdout, /admin-token +=.*\[hidden\]/);
  assert.ok(!printed.stdout.includes(TOKEN));
});

test("a wrong token stops the start with one line that does not repeat it", async (context) => {
  const folder = temporaryFolder(context);
  const short = join(folder, "short");
  writeFileSync(short, "geheim\n");
  const cases: [args: string[], message: RegExp][] = [
    [["--admin-token", "geheim"], /admin-token: a token has at least 16 characters and no space/],
    [
      ["--admin-token-file", short],
      /admin-token-file: .*short does not hold a token: at least 16 characters/,
    ],
    [["--admin-token-file", join(folder, "none")], /admin-token-file: ENOENT/],
    [["--admin-token-file", short, "--admin-token", TOKEN], /admin-token and admin-token-file are both set/],
  ];
  for (const [args, message] of cases) {
    const words = ["pool/echo.mjs", "-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", ...args];
    const command = startCommand(context, [...words, "--control-socket", join(folder, "c.ctl")]);
    assert.equal((await command.ended()).code, 2, command.stderr);
    const last = command.stderr.trim().split("\n").at(-1) ?? "";
    assert.match(last, message);
    assert.ok(!last.includes("geheim"));
  }
});

test("on a Unix socket it is open under the names of this machine; --no-dashboard leaves health alone", async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "a.sock");
  const words = ["pool/echo.mjs", "-b", "127.0.0.1:0", "--admin-bind", `unix:${path}`];
  const command = startCommand(context, [...words, "--control-socket", join(folder, "c.ctl")], {
    cwd: FIXTURES,
  });
  await command.ready();
  const place = { socketPath: path };
  assert.equal((await ask(place, "/dashboard/", { headers: { host: "localhost" } })).status, 200);
  assert.equal((await ask(place, "/dashboard/", { headers: { host: "evil.example" } })).status, 403);

  const { place: other } = await serve(context, ["--admin-bind", "127.0.0.1:0", "--no-dashboard"]);
  for (const at of ["/", "/dashboard/", "/dashboard/api/session"])
    assert.equal((await ask(other, at)).status, 404);
  assert.equal((await ask(other, "/health/live")).status, 200);
});
