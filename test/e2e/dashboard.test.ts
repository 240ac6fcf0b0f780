/** The dashboard of the built command in a real browser: its figures are the control interface's, and its buttons work. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Browser, Page } from "puppeteer-core";
import { requestControl } from "../../src/control/control-client.ts";
import type { Overview } from "../../src/control/dashboard/overview.ts";
import type { DeathReport, DeathStory, StatsReport } from "../../src/control/stats.ts";
import { workerCells } from "../../src/dashboard/worker-cells.ts";
import { openPage, requireAccessible, startChromium, textOf, type Watched } from "../support/chromium.ts";
import { cleanUp, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { startNginx } from "../support/nginx.ts";

const APP = `import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
createServer(async (request, response) => {
  if (request.url === "/throw") setImmediate(() => { throw new TypeError("no price"); });
  else if (request.url === "/block") for (const end = Date.now() + 20_000; Date.now() < end; );
  else if (request.url.startsWith("/slow")) await pause(60_000);
  else response.end("hello");
}).listen(3000);
`;

interface Served {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly app: number;
  readonly admin: number;
  control<T>(path: string): Promise<T>;
}

async function serve(context: TestContext, args: readonly string[] = []): Promise<Served> {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), APP);
  const socket = join(folder, "c.ctl");
  const words = ["app.mjs", "-b", "127.0.0.1:0", "-w", "2", "--name", "shop", "--control-socket", socket];
  const records = ["--record-dir", join(folder, "records"), "--graceful-timeout", "1s"];
  const command = startCommand(context, [...words, "--admin-bind", "127.0.0.1:0", ...records, ...args], {
    cwd: folder,
  });
  await command.ready();
  const line = await command.line(/Health at: http:\/\//);
  return {
    command,
    folder,
    app: await command.port(),
    admin: Number(/:(\d+)$/.exec(line.trim())?.[1]),
    control: async <T>(path: string) => (await requestControl(socket, "GET", path)).body as T,
  };
}

/** Requests that stay open until the test ends. */
function hold(context: TestContext, port: number, path: string): void {
  const request = get({ host: "127.0.0.1", port, path, agent: false });
  request.on("error", () => {});
  cleanUp(context, () => request.destroy());
}

async function openDashboard(browser: Browser, url: string): Promise<Watched> {
  const watched = await openPage(browser);
  await watched.page.goto(url);
  await watched.page.waitForSelector("#figures:not([hidden])");
  return watched;
}

/** Waits until the page shows what `expected` says. */
async function shows(page: Page, selector: string, expected: string | RegExp): Promise<void> {
  let text = "";
  const isShown = async (): Promise<boolean> => {
    text = await textOf(page, selector);
    return typeof expected === "string" ? text === expected : expected.test(text);
  };
  await until(`${selector} shows ${expected}`, isShown).catch((error: Error) => {
    throw new Error(`${error.message}; it shows ${JSON.stringify(text)}`, { cause: error });
  });
}

async function press(page: Page, selector: string): Promise<void> {
  await page.click(selector);
  await page.waitForSelector("dialog[open]");
  await page.click("#confirm-yes");
}

test("a reader sees what the control interface reports, and reloads, scales and restarts by buttons", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { admin, app, control } = await serve(context);
  hold(context, app, "/slow?1");
  hold(context, app, "/slow?2");
  const { page, urls, complaints } = await openDashboard(browser, `http://127.0.0.1:${admin}/`);
  await shows(page, "#strip .tile:nth-child(9) dd", "2");

  // The rows are those of the last report, which says what the server says of what does not change meanwhile.
  let last = "";
  page.on("response", async (response) => {
    if (response.url().includes("/overview")) last = await response.text().catch(() => "");
  });
  const stats = await until("the rows are those of the last report", async () => {
    if (last === "") return undefined;
    const report = (JSON.parse(last) as Overview).stats;
    const rows = (await page.$$eval("#workers-rows tr", (all) =>
      all.map((row) => [...row.querySelectorAll("th, td")].map((cell) => cell.textContent).slice(0, -1)),
    )) as string[][];
    assert.deepEqual(
      rows,
      report.workers.map((worker) => [String(worker.slot), ...workerCells(worker)]),
    );
    return report;
  });
  const facts = ({ workers }: StatsReport): unknown =>
    workers.map(({ pid, slot, generation, state, inFlight, connections, restarts }) =>
      [pid, slot, generation, state, inFlight, connections, restarts].join(),
    );
  assert.deepEqual(facts(stats), facts(await control<StatsReport>("/stats")));
  assert.equal(await textOf(page, "#strip .tile:nth-child(1) dd"), "2 / 2");
  const requests = await control<{ target: string }[]>("/requests");
  for (const { target } of requests)
    assert.match(await textOf(page, "#requests-rows"), new RegExp(`GET ${target.replace("?", "\\?")}`));
  assert.equal(requests.length, 2);

  await press(page, "#reload");
  await shows(page, "#outcome", /^Done: generation 2 serves with 2 workers\./);
  assert.equal((await control<StatsReport>("/stats")).server.generation, 2);
  await shows(page, "#strip .tile:nth-child(2) dd", "2");
  await shows(page, "#events-rows", /reloaded.*generation 2 serves/s);

  await page.$eval("#scale-count", (field) => {
    (field as unknown as { value: string }).value = "3";
  });
  await page.click("#scale-count");
  await press(page, "#scale button[type=submit]");
  await shows(page, "#outcome", /^Done: 3 workers ready\./);
  assert.deepEqual((await control<StatsReport>("/stats")).server.workers, { target: 3, ready: 3 });
  await shows(page, "#strip .tile:nth-child(1) dd", "3 / 3");

  // One of the old generation may still drain.
  const { workers } = await control<StatsReport>("/stats");
  const first = workers.find(({ state }) => state === "ready");
  await press(page, `button[aria-label='Restart worker ${first?.pid} in slot ${first?.slot}']`);
  await shows(page, "#outcome", new RegExp(`^Done: worker ${first?.pid} was replaced by \\d+\\.`));
  await requireAccessible(page, "after the commands");
  assert.deepEqual(
    urls.filter((url) => !url.startsWith(`http://127.0.0.1:${admin}/`) && !url.startsWith("data:")),
    [],
  );
  assert.deepEqual(complaints, []);
});

test("a failed reload, a crash and blocked workers are shown as what they are", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { admin, app, control, folder } = await serve(context);
  const { page } = await openDashboard(browser, `http://127.0.0.1:${admin}/dashboard/`);
  writeFileSync(join(folder, "app.mjs"), 'throw new Error("the settings are missing");\n');
  await press(page, "#reload");
  await shows(page, "#outcome", /^Failed: .*generation 1 continues to serve\..*the settings are missing/s);
  await shows(page, "#strip .tile:nth-child(3) dd", "failed");
  await shows(page, "#strip .tile:nth-child(1) dd", "2 / 2");

  writeFileSync(join(folder, "app.mjs"), APP);
  hold(context, app, "/throw");
  await shows(page, "#deaths-list", /problem.*crashed on an uncaught exception: TypeError: no price/s);
  const deaths = await control<DeathReport[]>("/deaths");
  const crash = deaths.find(({ reason }) => reason === "crash");
  const { story } = await control<DeathStory>(`/deaths/${crash?.id}`);
  await page.click(`li[data-key="${crash?.id}"] summary`);
  await shows(page, `li[data-key="${crash?.id}"] pre`, story.trim());

  // Every worker in a loop: the arbiter answers.
  await shows(page, "#strip .tile:nth-child(1) dd", "2 / 2");
  // A worker may accept several connections before the first request blocks it, so one after the other.
  for (const stuck of [/stuck/, /stuck.*stuck/s]) {
    hold(context, app, "/block");
    await shows(page, "#workers-rows", stuck);
  }
  await shows(page, "#trouble", /^Not ready: /);
  assert.equal(await textOf(page, "#connection"), "Live");
});

test("the page goes on through an upgrade, and a command reaches the new server", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { admin, command } = await serve(context);
  const { page } = await openDashboard(browser, `http://127.0.0.1:${admin}/dashboard/`);
  command.kill("SIGUSR2");
  const pid = await until("there is a new arbiter", () => command.arbiters()[1]);
  await shows(page, "#where", new RegExp(`pid ${pid}`));
  await command.line(/The previous arbiter .* has exited/);
  await press(page, "#reload");
  await shows(page, "#outcome", /^Done: generation 2 serves/);
});

test("behind nginx, which ends TLS, the page works at another path with its token, and not without one", async (context) => {
  if (!hasComponent(context, "nginx") || !hasComponent(context, "openssl")) return;
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const folder = temporaryFolder(context);
  const words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost";
  execFileSync("openssl", words.split(" "), { cwd: folder, stdio: "ignore" });
  const token = join(folder, "token");
  writeFileSync(token, "a-token-of-some-length\n", { mode: 0o600 });
  const location = (path: string, port: number): string => `
    location /${path}/ {
        proxy_pass http://127.0.0.1:${port}/dashboard/;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_read_timeout 10m;
    }`;
  const [closed, open] = [await serve(context), await serve(context, ["--admin-token-file", token])];
  const port = await freePort();
  await startNginx(context, folder, {
    upstream: "server 127.0.0.1:9;",
    server: `
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ${location("closed", closed.admin)}
    ${location("tsgun", open.admin)}`,
  });
  const { page, complaints } = await openPage(browser);
  const refused = await page.goto(`https://localhost:${port}/closed/`);
  assert.equal(refused?.status(), 403);
  assert.match(await textOf(page, "body"), /through a proxy .*set admin-token/);
  await page.goto(`https://localhost:${port}/tsgun/`);
  await page.waitForSelector("#login:not([hidden])");
  await page.type("#token", "a-token-of-some-length");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#figures:not([hidden])");
  const cookies = await browser.cookies();
  assert.deepEqual(
    cookies.map(({ path, secure, httpOnly, sameSite }) => ({ path, secure, httpOnly, sameSite })),
    [{ path: "/tsgun/api", secure: true, httpOnly: true, sameSite: "Strict" }],
  );
  await press(page, "#reload");
  await shows(page, "#outcome", /^Done: generation 2 serves/);
  // A browser reports these answers: what was refused, the icon of a bare text, and what came before the login.
  assert.deepEqual(
    complaints.filter((each) => !/40[134]/.test(each)),
    [],
  );
});
