/** The site that `tsgun init nginx` writes for servers with sockets for each worker, or with a certificate, on a real nginx. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { TestAuthority } from "../support/certificates.ts";
import { startCommand } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { initialise, projectOf } from "../support/init.ts";
import { nginxAround, runNginx } from "../support/nginx.ts";

const SHOP = {
  "package.json": '{ "name": "shop", "type": "module" }',
  "app.ts": `import type { Handler } from "tsgun";
export const handler: Handler = ({ scheme }, respond) => {
  respond(200, {}, JSON.stringify({ scheme }));
};
`,
};

test("workers with a socket each: the site keeps a client at one of them", async (t) => {
  if (!hasComponent(t, "nginx")) return;
  const config = { workers: 2, bind: "unix:run/shop.sock", workerBind: "unix:run/shop-{slot}.sock" };
  const folder = projectOf(t, {
    ...SHOP,
    "tsgun.config.json": JSON.stringify({ app: "app.ts:handler", ...config }),
  });
  mkdirSync(join(folder, "run"));
  writeFileSync(
    join(folder, "app.ts"),
    "export const handler = (request, respond) => respond(200, {}, String(request.worker.slot));\n",
  );
  assert.equal(initialise(folder, "nginx", "--folder", folder).status, 0);
  const port = await freePort();
  const site = readFileSync(join(folder, "deploy/nginx/shop.conf"), "utf8")
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace(/ *listen \[::\]:80;\n/, "");
  const command = startCommand(t, ["--no-control-socket"], { cwd: folder });
  await command.ready();
  await runNginx(t, { args: ["-c", nginxAround(folder, site), "-e", join(folder, "error.log")], port });
  const slots = new Set<string>();
  for (let client = 0; client < 12; client++) {
    const { text, headers } = await ask({ host: "127.0.0.1", port });
    const [cookie = ""] = String(headers["set-cookie"]).split(";");
    assert.match(cookie, /^shop_client=[0-9a-f]{32}$/);
    slots.add(text);
    for (let time = 0; time < 4; time++) {
      const again = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
      assert.equal(await again.text(), text);
      assert.equal(again.headers.get("set-cookie"), null);
    }
  }
  assert.deepEqual([...slots].sort(), ["1", "2"]);
});

test("a server with a certificate: the site asks it by TLS, and the app sees the client's own scheme", async (t) => {
  if (!hasComponent(t, "nginx") || !hasComponent(t, "openssl")) return;
  const folder = projectOf(t, SHOP);
  new TestAuthority(folder).sign("site");
  const config = {
    app: "app.ts:handler",
    // Bound in the folder that the server enters.
    bind: "unix:shop.sock",
    chdir: folder,
    certfile: "site.pem",
    keyfile: "site.key",
  };
  writeFileSync(join(folder, "tsgun.config.json"), JSON.stringify({ ...config, workers: 1 }));
  assert.equal(initialise(folder, "nginx", "--folder", folder).status, 0);
  const port = await freePort();
  const site = readFileSync(join(folder, "deploy/nginx/shop.conf"), "utf8")
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace(/ *listen \[::\]:80;\n/, "");
  assert.match(site, /proxy_pass https:/);
  const command = startCommand(t, ["--no-control-socket"], { cwd: folder });
  await command.ready();
  await runNginx(t, { args: ["-c", nginxAround(folder, site), "-e", join(folder, "error.log")], port });
  const { status, text } = await ask({ host: "127.0.0.1", port });
  // The field of the proxy wins over the connection.
  assert.equal(status, 200, `${text}${readFileSync(join(folder, "error.log"), "utf8")}${command.stderr}`);
  assert.equal(JSON.parse(text).scheme, "http");
});
