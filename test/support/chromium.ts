/** A real browser: Debian's Chromium, with a profile that is removed with the test. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { TestContext } from "node:test";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { cleanUp, temporaryFolder } from "./command.ts";
import { hasComponent } from "./component.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts it; undefined if it is not installed, and the test is skipped then. Names are resolved as `rules` says. */
export async function startChromium(
  context: TestContext,
  rules = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
): Promise<Browser | undefined> {
  if (!hasComponent(context, "chromium")) return undefined;
  const home = temporaryFolder(context);
  const browser = await puppeteer.launch({
    executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
    args: [...FLAGS, `--host-resolver-rules=${rules}`],
    userDataDir: home,
    // Certificates that a test made.
    acceptInsecureCerts: true,
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
  });
  cleanUp(context, () => browser.close());
  return browser;
}

/** The requests and the complaints of a page. */
export interface Watched {
  readonly page: Page;
  readonly urls: string[];
  readonly complaints: string[];
}

export async function openPage(browser: Browser): Promise<Watched> {
  const page = await browser.newPage();
  const urls: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  await page.setViewport({ width: 1280, height: 900 });
  return { page, urls, complaints };
}

export async function textOf(page: Page, selector: string): Promise<string> {
  return await page.$eval(selector, (element) => element.textContent?.trim() ?? "");
}

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Fails if axe-core finds anything serious or critical on the page. */
export async function requireAccessible(page: Page, what: string): Promise<void> {
  const file = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  await page.evaluate(readFileSync(file, "utf8"));
  const findings = (await page.evaluate("axe.run().then(({ violations }) => violations)")) as Finding[];
  const bad = findings.filter(({ impact }) => impact === "serious" || impact === "critical");
  const shown = bad.map(({ id, nodes }) => {
    const [{ html, failureSummary = "" }] = nodes as [Finding["nodes"][number]];
    return `${id}, ${nodes.length} times: ${html} (${failureSummary})`;
  });
  assert.deepEqual(shown, [], what);
}
