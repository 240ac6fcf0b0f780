/** The dashboard's page in a real browser, against a server that reports what a real one could have reported. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { Page } from "puppeteer-core";
import { dashboardRoutes } from "../../src/control/dashboard/routes.ts";
import { createJsonServer, type Route } from "../../src/control/json-server.ts";
import { openPage, requireAccessible, startChromium, textOf } from "../support/chromium.ts";
import { cleanUp, until } from "../support/command.ts";
import {
  deathReports,
  eventReports,
  historyReport,
  historySince,
  inFlightReports,
  statsReport,
} from "../support/dashboard-data.ts";

const OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

interface Fake {
  readonly url: string;
  /** The paths of the commands that it was given. */
  readonly commands: string[];
  readonly server: ReturnType<typeof createJsonServer>;
}

interface FakeOptions {
  readonly token?: string;
  readonly slots?: number;
  readonly port?: number;
  /** Replaces routes of the same path. */
  readonly routes?: readonly Route[];
}

async function startFake(
  context: TestContext,
  { token, slots = 4, port = 0, routes = [] }: FakeOptions = {},
): Promise<Fake> {
  const commands: string[] = [];
  const get = (path: string, make: (query: URLSearchParams) => unknown): Route => ({
    method: "GET",
    path,
    handle: (_parameters, _body, { query }) => ({ status: 200, body: make(query) }),
  });
  const post = (path: string, message: string): Route => ({
    method: "POST",
    path,
    handle(parameters, body) {
      commands.push(`${path} ${JSON.stringify(parameters)} ${JSON.stringify(body)}`);
      return { status: 200, body: { ok: true, message } };
    },
  });
  const table = [
    ...routes,
    get("/stats", () => statsReport(Date.now(), slots)),
    get("/history", (query) =>
      historySince(historyReport(Date.now(), 300, slots), Number(query.get("since"))),
    ),
    get("/requests", inFlightReports),
    get("/events", () => eventReports(Date.now())),
    get("/deaths", () => deathReports(Date.now())),
    post("/reload", "generation 8 serves with 4 workers"),
    post("/scale", "5 workers ready"),
    post("/workers/:pid/restart", "worker 4701 was replaced by 4710"),
  ];
  const address = { kind: "tcp", host: "127.0.0.1", port: 9000 } as const;
  const server = createJsonServer(dashboardRoutes({ address, token, table }));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  cleanUp(context, () => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dashboard/`, commands, server };
}

async function openFigures(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector("#figures:not([hidden])");
}

async function outcome(page: Page, text: string): Promise<void> {
  await until(`the outcome is ${text}`, async () => (await textOf(page, "#outcome")).includes(text));
}

/** A key goes to the element that has the focus when the browser handles it. */
async function focused(page: Page, selector: string): Promise<void> {
  await page.waitForSelector(`${selector}:focus`);
}

async function confirm(page: Page): Promise<void> {
  await page.waitForSelector("dialog[open]");
  await page.click("#confirm-yes");
}

test("the page shows the reports, in both themes and at every width, without a fault of access, a complaint or a foreign request", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { url } = await startFake(context);
  const { page, urls, complaints } = await openPage(browser);
  await openFigures(page, url);
  assert.equal(await textOf(page, "h1"), "shop");
  assert.equal(await textOf(page, "#state"), "serving");
  assert.equal((await page.$$("#workers-rows tr")).length, 4);
  assert.equal((await page.$$("#panels > section")).length, 14);
  assert.match(await textOf(page, "#deaths-list"), /problem.*Worker 4600 crashed: TypeError/s);
  assert.match(await textOf(page, "#events-rows"), /generation 7 serves with 4 workers/);
  assert.match(await textOf(page, "#requests-rows"), /POST \/checkout/);
  assert.match(await textOf(page, "#panel-latency .summary"), /^p50 now .* ms, at most .* ms; p90 now/);
  // Something is drawn on each of them.
  const blank = await page.$$eval(
    "#panels canvas",
    (all) =>
      all.filter(
        (canvas) =>
          !new Uint32Array(
            canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data.buffer ?? [],
          ).some((pixel) => pixel !== 0),
      ).length,
  );
  assert.equal(blank, 0);

  for (const theme of ["light", "dark"] as const) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    for (const width of [1280, 768, 360]) {
      await page.setViewport({ width, height: 800 });
      await page.waitForSelector(`html[data-theme=${theme}]`);
      // The charts follow the window in the next frames.
      await until(`${theme} ${width}: the page is as wide as the window`, async () => {
        assert.equal(await page.evaluate(OVERFLOW), 0);
        return true;
      });
    }
    await requireAccessible(page, theme);
  }
  // The reader's choice wins, and stays.
  await page.click("#theme");
  assert.equal(await page.$eval("html", (root) => root.dataset.theme), "light");
  await openFigures(page, url);
  assert.equal(await page.$eval("html", (root) => root.dataset.theme), "light");
  const origin = new URL(url).origin;
  assert.deepEqual(
    urls.filter((each) => !each.startsWith(`${origin}/`) && !each.startsWith("data:")),
    [],
  );
  assert.deepEqual(complaints, []);
});

test("buttons ask first, then do it once and say what came of it, by keyboard alone", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const fail: Route = {
    method: "POST",
    path: "/workers/:pid/restart",
    handle: () => ({
      status: 409,
      body: { ok: false, error: "its replacement crashes", detail: "Error: <b>boom</b>" },
    }),
  };
  const { url, commands } = await startFake(context, { routes: [fail] });
  const { page } = await openPage(browser);
  await openFigures(page, url);
  await page.focus("#reload");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await requireAccessible(page, "the dialog");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog:not([open])");
  assert.deepEqual(commands, []);
  await focused(page, "#reload");
  await page.keyboard.press("Enter");
  await focused(page, "dialog[open] button[value=no]");
  await page.keyboard.press("Tab");
  await focused(page, "#confirm-yes");
  await page.keyboard.press("Enter");
  await outcome(page, "Done: generation 8 serves");
  assert.deepEqual(commands, ["/reload {} {}"]);

  await page.click("#scale-up");
  await page.click("#scale button[type=submit]");
  await confirm(page);
  await outcome(page, "Done: 5 workers ready");
  assert.equal(commands[1], '/scale {} {"workers":5}');

  await page.click("button[aria-label='Restart worker 4702 in slot 2']");
  await confirm(page);
  await outcome(page, "Failed: its replacement crashes");
  // Words of an app are shown as text.
  assert.equal(await textOf(page, "#outcome pre"), "Error: <b>boom</b>");
  assert.equal(await page.$("#outcome b"), null);
});

test("what clients and workers sent is shown as text, never as markup", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
  const change = <T>(records: readonly T[], changed: Partial<T>): T[] =>
    records.map((record) => ({ ...record, ...changed }));
  const get = (path: string, body: unknown): Route => ({
    method: "GET",
    path,
    handle: () => ({ status: 200, body }),
  });
  const routes = [
    get("/requests", change(inFlightReports(), { target: hostile, id: hostile })),
    get("/events", change(eventReports(Date.now()), { message: hostile })),
    get("/deaths", change(deathReports(Date.now()), { headline: hostile, cause: hostile })),
  ];
  const { url } = await startFake(context, { routes });
  const { page, complaints } = await openPage(browser);
  await openFigures(page, url);
  assert.equal((await page.$$("main img, main script")).length, 0);
  assert.ok((await textOf(page, "#deaths-list")).includes(hostile));
  assert.deepEqual(complaints, []);
});

test("a page without an answer says so, keeps its figures, and goes on when the server is back", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const first = await startFake(context);
  const { page } = await openPage(browser);
  await openFigures(page, first.url);
  const { port } = first.server.address() as AddressInfo;
  first.server.close();
  await page.waitForSelector("#connection[data-state=silent]", { timeout: 20_000 });
  assert.match(
    await textOf(page, "#connection"),
    /^The server has not answered for \d+ s; trying again every 2 s$/,
  );
  assert.notEqual(await page.$("#figures:not([hidden])"), null);
  await requireAccessible(page, "without an answer");
  await startFake(context, { port });
  await page.waitForSelector("#connection[data-state=live]", { timeout: 20_000 });
});

test("a page that nobody looks at asks for nothing", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { url } = await startFake(context);
  const { page, urls } = await openPage(browser);
  await openFigures(page, url);
  const asked = (): number => urls.filter((each) => each.includes("/overview")).length;
  // Another tab in front hides this one; headless, the browser has to be told.
  const session = await page.createCDPSession();
  const other = await browser.newPage();
  await other.bringToFront();
  await until("the page is hidden", () => page.evaluate(`document.visibilityState === "hidden"`));
  assert.equal(await textOf(page, "#connection"), "Paused");
  const before = asked();
  await new Promise((resolve) => setTimeout(resolve, 4500));
  assert.ok(asked() <= before + 1, `${asked() - before} requests in 4.5 s`);
  await session.detach();
  await page.bringToFront();
  await page.waitForSelector("#connection[data-state=live]", { timeout: 20_000 });
});

test("with a token the page asks for it, keeps a session, and ends it", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const { url } = await startFake(context, { token: "a-token-of-some-length" });
  const { page } = await openPage(browser);
  await page.goto(url);
  await page.waitForSelector("#login:not([hidden])");
  await requireAccessible(page, "the login");
  await page.type("#token", "wrong");
  await page.keyboard.press("Enter");
  await until(
    "the login fails",
    async () => (await textOf(page, "#login-error")) === "Login failed: the token is wrong.",
  );
  await page.type("#token", "a-token-of-some-length");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#figures:not([hidden])");
  // Scripts cannot read the session.
  assert.equal(await page.evaluate("document.cookie"), "");
  await page.click("#reload");
  await confirm(page);
  await outcome(page, "Done: generation 8");
  await page.reload();
  await page.waitForSelector("#figures:not([hidden])");
  await page.click("#logout");
  await page.waitForSelector("#login:not([hidden])");
});

test("a site whose name was made to mean this machine gets neither the page nor an answer", async (context) => {
  const rules = "MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";
  const browser = await startChromium(context, rules);
  if (browser === undefined) return;
  const { url, commands } = await startFake(context);
  const { page } = await openPage(browser);
  const response = await page.goto(url.replace("127.0.0.1", "evil.example"));
  assert.equal(response?.status(), 403);
  assert.match(
    await textOf(page, "body"),
    /without a token it answers only to localhost, 127\.0\.0\.1 and \[::1\]/,
  );

  // A page of another site, in the same browser: a form, and a script.
  const foreign = createJsonServer([
    {
      method: "GET",
      path: "/",
      handle: () => ({ status: 200, type: "text/html", text: "<h1>elsewhere</h1>" }),
    },
  ]);
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  cleanUp(context, () => foreign.close());
  await page.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
  const statuses = await page.evaluate(`Promise.all([
    { mode: "no-cors", headers: { "content-type": "text/plain" } },
    { mode: "cors", headers: { "content-type": "application/json", "x-tsgun-csrf": "x" } },
  ].map((init) =>
    fetch("${url}api/reload", { method: "POST", body: "{}", credentials: "include", ...init }).then(
      ({ type, status }) => type + " " + status,
      () => "blocked",
    )))`);
  assert.deepEqual(statuses, ["blocked", "blocked"]);
  await Promise.all([
    page.waitForNavigation(),
    page.evaluate(`
      const form = document.createElement("form");
      Object.assign(form, { method: "post", enctype: "text/plain", action: "${url}api/reload" });
      document.body.append(form);
      form.submit();`),
  ]);
  assert.match(await textOf(page, "body"), /another site has made this request/);
  assert.deepEqual(commands, []);
});

test("seventeen workers are three lines, and a server with nothing to show is no fault", async (context) => {
  const browser = await startChromium(context);
  if (browser === undefined) return;
  const many = await startFake(context, { slots: 17 });
  const { page, complaints } = await openPage(browser);
  await openFigures(page, many.url);
  assert.match(await textOf(page, "#panel-cpu .legend"), /highest.*median of 17.*lowest/);
  const get = (path: string, body: unknown): Route => ({
    method: "GET",
    path,
    handle: () => ({ status: 200, body }),
  });
  const empty = await startFake(context, {
    routes: [
      get("/history", historyReport(Date.now(), 0, 0)),
      get("/stats", { ...statsReport(Date.now(), 0), lastReload: null, listeners: [] }),
      ...["/requests", "/events", "/deaths"].map((path) => get(path, [])),
    ],
  });
  await openFigures(page, empty.url);
  assert.equal(await textOf(page, "#workers-none"), "No worker is running.");
  assert.equal(await textOf(page, "#requests-none"), "No request is in flight.");
  assert.match(await textOf(page, "#panel-turnover .empty"), /No worker has started or ended/);
  await requireAccessible(page, "an empty server");
  assert.deepEqual(complaints, []);
});
