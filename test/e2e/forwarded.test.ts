/** The client's address and scheme behind a real nginx with the usual lines, over TCP and a Unix socket. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { startNginx } from "../support/nginx.ts";

/** The usual lines of an nginx configuration. */
const USUAL = `
  proxy_set_header Host $host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
`;

/** The lines that docs/proxies.md recommends: every field that tsgun reads is set or removed. */
const EVERY = `
  ${USUAL}
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Forwarded-Prefix "";
  proxy_set_header X-Request-ID $request_id;
  proxy_set_header Forwarded "";
`;

/** Fields that a client forges. */
const LIES = {
  host: "shop.test",
  "x-forwarded-for": "127.0.0.1, 6.6.6.6",
  "x-forwarded-proto": "https",
  forwarded: "for=127.0.0.1;proto=https;host=evil.example",
};
const MORE_LIES = {
  ...LIES,
  "x-forwarded-host": "evil.example",
  "x-forwarded-port": "1",
  "x-forwarded-prefix": "/evil",
  "x-request-id": "evil",
};

type Ask = (path: string, headers: Record<string, string>) => Promise<Record<string, unknown>>;

/** Starts nginx in front of `app`. Returns a client at 127.0.0.2, so that it has another address than the proxy. */
async function proxied(
  context: TestContext,
  app: string,
  how: { kind: "tcp" | "unix"; lines: string; args?: readonly string[]; site?: string },
): Promise<Ask> {
  const folder = temporaryFolder(context);
  const bind = how.kind === "unix" ? `unix:${join(folder, "app.sock")}` : "127.0.0.1:0";
  const command = startCommand(context, [app, "--bind", bind, ...(how.args ?? [])]);
  await command.ready();
  const server = how.kind === "unix" ? bind : `127.0.0.1:${await command.port()}`;
  const nginx = await startNginx(context, folder, {
    upstream: `server ${server}; keepalive 4;`,
    server: `
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      ${how.lines}
      ${how.site ?? "location / { proxy_pass http://app; }"}
    `,
  });
  return async (path, headers) => {
    const options = {
      port: nginx.port,
      host: "127.0.0.1",
      localAddress: "127.0.0.2",
      path,
      headers,
      agent: false,
    };
    const [incoming] = await once(request(options).end(), "response");
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    return JSON.parse(text) as Record<string, unknown>;
  };
}

const notLinux = process.platform === "linux" ? false : "only Linux gives every address of 127.0.0.0/8";
const CLIENT = { family: "ipv4", address: "127.0.0.2", port: 0 };
/** Trusts only the proxy, because the client has a loopback address here too. */
const PROXY = ["--forwarded-allow-ips", "127.0.0.1,unix"];
const WHO = "proxies/who.ts:handler";

for (const kind of ["tcp", "unix"] as const) {
  test(`the usual lines, over ${kind}`, { skip: notLinux }, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const ask = await proxied(context, WHO, { kind, lines: USUAL, args: PROXY });
    const { remote, scheme, host, peer } = await ask("/x", LIES);
    assert.deepEqual({ remote, scheme, host }, { remote: CLIENT, scheme: "http", host: "shop.test" });
    assert.equal((peer as { family: string }).family, kind === "unix" ? "unix" : "ipv4");
  });

  test(`every line, over ${kind}`, { skip: notLinux }, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const ask = await proxied(context, WHO, { kind, lines: EVERY, args: PROXY });
    const { remote, scheme, host, rootPath, path, id } = await ask("/evil/x", {
      ...MORE_LIES,
      host: "shop.test:8443",
    });
    assert.deepEqual(
      { remote, scheme, host, rootPath, path },
      { remote: CLIENT, scheme: "http", host: "shop.test:8443", rootPath: "", path: "/evil/x" },
    );
    assert.match(String(id), /^[0-9a-f]{32}$/);
  });
}

test("the usual lines, with --forwarded-headers naming the fields that they set", {
  skip: notLinux,
}, async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const args = [...PROXY, "--forwarded-headers", "x-forwarded-for,x-forwarded-proto"];
  const ask = await proxied(context, WHO, { kind: "unix", lines: USUAL, args });
  const { remote, scheme, host, rootPath, id } = await ask("/x", MORE_LIES);
  assert.deepEqual(
    { remote, scheme, host, rootPath },
    { remote: CLIENT, scheme: "http", host: "shop.test", rootPath: "" },
  );
  assert.notEqual(id, "evil");
});

test("an app below a prefix that nginx strips", { skip: notLinux }, async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const site = `location /app/ { proxy_pass http://app/; ${USUAL} proxy_set_header X-Forwarded-Prefix /app; }`;
  const ask = await proxied(context, WHO, { kind: "unix", lines: "", site, args: PROXY });
  const { rootPath, path } = await ask("/app/x", MORE_LIES);
  assert.deepEqual({ rootPath, path }, { rootPath: "/app", path: "/x" });
});

/** The frameworks of docs/proxies.md, each with its own setting; "" for none. */
const CLIENT_IP = "127.0.0.2";
const FRAMEWORKS: [framework: string, setting: string, kind: "tcp" | "unix", ip: string | null][] = [
  ["express", "", "unix", null],
  ["express", "1", "unix", CLIENT_IP],
  ["express", '"loopback"', "unix", null],
  ["express", '"127.0.0.1"', "tcp", CLIENT_IP],
  ["express", '"function"', "unix", CLIENT_IP],
  ["express", '"function"', "tcp", CLIENT_IP],
  ["fastify", "", "unix", null],
  ["fastify", "1", "unix", null],
  ["fastify", '"127.0.0.1"', "unix", null],
  ["fastify", '"127.0.0.1"', "tcp", CLIENT_IP],
  ["fastify", '"function"', "unix", CLIENT_IP],
  ["koa", "", "unix", null],
  ["koa", "1", "unix", CLIENT_IP],
  ["koa", "1", "tcp", CLIENT_IP],
];

for (const [framework, setting, kind, ip] of FRAMEWORKS) {
  test(`${framework} with ${setting || "no setting"} over ${kind}`, { skip: notLinux }, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const ask = await proxied(context, `proxies/${framework}.mjs:app(${setting})`, { kind, lines: EVERY });
    assert.equal((await ask("/", LIES)).ip, ip);
  });
}
