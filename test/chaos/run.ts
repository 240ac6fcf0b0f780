/** A chaos run: the acts of a plan under mixed traffic, a rest after each, and what must hold all the time. */
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../support/ask.ts";
import { MonotonicCounters, type Samples, sumOf } from "../support/metrics-text.ts";
import { attribute, type Death, type Verdict } from "./attribution.ts";
import { Faults } from "./faults.ts";
import { unexplainedLines } from "./log-lines.ts";
import { type Act, actionText, type FaultName, wayText } from "./plan.ts";
import { lossyEnd, Records, storyFault } from "./records.ts";
import { figures, leftovers, type RestFigures, rest } from "./rest.ts";
import { Site } from "./site.ts";
import { Traffic } from "./traffic.ts";

const SCRAPE_INTERVAL_MS = 100;
const SETTLED_WITHIN_MS = 10_000;

export interface ChaosOptions {
  readonly node: string;
  /** Told of each action and rest, for people who watch. */
  readonly tell: (line: string) => void;
  /** Where to copy the log, the journal and the records at the end. */
  readonly keep?: string;
}

export interface ChaosReport {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  /** Lost requests by how their process is known. */
  readonly lostBy: Readonly<Record<string, number>>;
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly commands: number;
  readonly deaths: number;
  readonly scrapes: number;
  /** Each breach of an invariant, in a line. */
  readonly breaches: readonly string[];
}

export async function runChaos(
  context: TestContext,
  acts: readonly Act[],
  options: ChaosOptions,
): Promise<ChaosReport> {
  const way = acts[0]?.way;
  if (way === undefined) throw new Error("the plan has no act");
  const site = await Site.start(context, { ...options, way });
  const run = new Run(site, options.tell);
  try {
    await run.begin();
    for (const [number, act] of acts.entries()) await run.act(number + 1, act, acts[number + 1]?.way);
    return run.report();
  } finally {
    run.stop();
    if (options.keep !== undefined) site.keep(options.keep);
  }
}

class Run {
  readonly #site: Site;
  readonly #tell: (line: string) => void;
  readonly #faults: Faults;
  readonly #traffic: Traffic;
  readonly #records: Records;
  readonly #breaches: string[] = [];
  readonly #lostBy: Record<string, number> = {};
  #counters = new MonotonicCounters();
  #scrapes = 0;
  #isOver = false;
  #first: RestFigures | undefined;
  #last: RestFigures | undefined;
  #judged = 0;
  #countedBefore = { counted: 0, sent: 0, faults: 0 };

  constructor(site: Site, tell: (line: string) => void) {
    this.#site = site;
    this.#tell = tell;
    this.#faults = new Faults(site);
    this.#traffic = new Traffic(site.targets, site.certificates);
    this.#records = new Records(site.records);
  }

  async begin(): Promise<void> {
    void this.#scrape();
    const pid = await rest(this.#site);
    this.#first = await figures(this.#site, pid);
    this.#last = this.#first;
  }

  stop(): void {
    this.#isOver = true;
    this.#records.stop();
  }

  /** @param next the way of the next act: the rest brings it */
  async act(number: number, { way, actions }: Act, next = way): Promise<void> {
    const { gaps } = this.#site;
    const gapsBefore = gaps.length;
    this.#tell(`${number} ${wayText(way)}`);
    const resumptions = this.#resumptions();
    const beganAt = performance.now();
    this.#traffic.start(way);
    for (const action of actions) {
      await pause(Math.max(0, beganAt + action.at - performance.now()));
      this.#tell(`${number} ${actionText(action)}`);
      this.#faults.begin(action);
    }
    await this.#faults.end();
    const undone = await this.#traffic.stop();
    if (way.tls && this.#resumptions() === resumptions) this.#breach(`act ${number}: no session was resumed`);
    const pid = await rest(this.#site, next).catch((error: Error) => {
      this.#breach(`act ${number}: ${error.message}\n${this.#site.log().slice(-4000)}`);
      throw new Error(this.#breaches.join("\n"));
    });
    const now = await this.#settled(pid);
    await this.#records.read();
    const hadGap = gaps.length > gapsBefore;
    for (const fault of leftovers(this.#site, this.#first as RestFigures, now))
      this.#breach(`act ${number}: ${fault}`);
    const ran = this.#journal();
    this.#judgeLosses(ran);
    for (const [id, pids] of ran)
      if (pids.length > 1) this.#breach(`request ${id} was run ${pids.length} times`);
    for (const id of undone)
      if (ran.has(id))
        this.#breach(
          `request ${id} was run: its answer was the last but one of its connection, or it was refused`,
        );
    if (!hadGap) this.#checkTotals(number, now);
    await this.#checkDeaths();
    this.#last = now;
    this.#countedBefore = {
      counted: this.#traffic.counted,
      sent: this.#traffic.sent,
      faults: this.#faults.sent,
    };
    this.#tell(
      `${number} at rest: ${this.#traffic.sent} sent, ${this.#traffic.answered} answers, ${this.#traffic.losses.length} lost, ` +
        `arbiter ${pid} ${Math.round(now.pssBytes / 1e6)} MB, ${now.descriptors.length} descriptors, ${this.#breaches.length} breaches`,
    );
  }

  #resumptions(): number {
    return Object.values(this.#site.certificates.clients).reduce((sum, { resumed }) => sum + resumed, 0);
  }

  /** The figures once nothing is left over, or after a while: exits and closed connections are noticed a moment later. */
  async #settled(pid: number): Promise<RestFigures> {
    const end = performance.now() + SETTLED_WITHIN_MS;
    for (;;) {
      const now = await figures(this.#site, pid);
      const isSettled = leftovers(this.#site, this.#first as RestFigures, now).length === 0;
      if (isSettled || performance.now() > end) return now;
      await pause(SCRAPE_INTERVAL_MS);
    }
  }

  report(): ChaosReport {
    const { losses, wrong, sent, answered } = this.#traffic;
    const lines = unexplainedLines(this.#site.log()).map((line) => `unexplained line of the log: ${line}`);
    const texts = this.#site.stderr
      .split("\n")
      .filter((line) => /Assertion failed|\(node:\d+\) \w*Warning/.test(line));
    return {
      sent,
      answered,
      lost: losses.length,
      lostBy: this.#lostBy,
      faults: this.#faults.counts,
      commands: this.#faults.commands,
      deaths: this.#site.census.seen.filter(({ role, goneAt }) => role === "worker" && goneAt !== undefined)
        .length,
      scrapes: this.#scrapes + this.#counters.scrapes,
      breaches: [
        ...this.#breaches,
        ...this.#counters.faults,
        ...wrong.map((text) => `wrong answer: ${text}`),
        ...this.#faults.wrong.map((text) => `command: ${text}`),
        ...lines,
        ...(texts.length > 0 ? [`standard error: ${texts.slice(0, 5).join("\n")}`] : []),
      ],
    };
  }

  #breach(text: string): void {
    this.#breaches.push(text);
    this.#tell(`BREACH ${text}`);
  }

  #newCounters(): MonotonicCounters {
    this.#scrapes += this.#counters.scrapes;
    this.#breaches.push(...this.#counters.faults);
    return new MonotonicCounters();
  }

  async #scrape(): Promise<void> {
    let starts = this.#site.starts;
    while (!this.#isOver) {
      const answer = await ask({ path: this.#site.controlSocket }, "/metrics").catch(() => undefined);
      // The answer may be that of a server that was killed, or of the next one, which counts anew.
      if (starts !== this.#site.starts || this.#site.isKilled) this.#counters = this.#newCounters();
      else if (answer?.status === 200) this.#counters.add(answer.text, "control");
      starts = this.#site.starts;
      await pause(SCRAPE_INTERVAL_MS);
    }
  }

  /** Which processes have run each request. */
  #journal(): Map<string, number[]> {
    const ran = new Map<string, number[]>();
    for (const line of readFileSync(this.#site.journal, "utf8").split("\n")) {
      const [pid, id = ""] = line.split(" ");
      if (id === "") continue;
      const known = ran.get(id);
      if (known === undefined) ran.set(id, [Number(pid)]);
      else known.push(Number(pid));
    }
    return ran;
  }

  #judgeLosses(ran: ReadonlyMap<string, readonly number[]>): void {
    const evidence = { ran, deaths: this.#lossyDeaths(), gaps: this.#site.gaps };
    for (const loss of this.#traffic.losses.slice(this.#judged)) {
      const verdict: Verdict = attribute(loss, evidence);
      this.#lostBy[verdict.by] = (this.#lostBy[verdict.by] ?? 0) + 1;
      if (verdict.by === "journal" && !verdict.isListed)
        this.#lostBy.unlisted = (this.#lostBy.unlisted ?? 0) + 1;
      if (verdict.by !== "nothing") continue;
      const times = `${new Date(loss.since).toISOString()} to ${new Date(loss.at).toISOString()}`;
      this.#breach(
        `lost, and ${verdict.why}: ${loss.client} ${loss.kind} ${times}, connection of ${loss.pid}: ${loss.text}`,
      );
    }
    this.#judged = this.#traffic.losses.length;
  }

  #lossyDeaths(): Death[] {
    const overdue = new Set(
      [...this.#site.log().matchAll(/Worker \(pid: (\d+)\) has not finished within/g)].map((match) =>
        Number(match[1]),
      ),
    );
    return this.#site.census.seen.flatMap(({ pid, parent, goneAt }) => {
      if (goneAt === undefined) return [];
      const record = this.#records.byPid.get(pid);
      const why =
        this.#faults.killed.get(pid) ??
        (record && lossyEnd(record)) ??
        (this.#faults.killed.has(parent) ? "its arbiter was killed" : undefined) ??
        (overdue.has(pid) ? "its requests were cut at the graceful timeout" : undefined);
      const inFlight = record?.requestsInFlight ?? [];
      const listed =
        inFlight.length === 0 || inFlight.length >= 50 ? undefined : inFlight.map(({ target }) => target);
      return why === undefined ? [] : [{ pid, at: goneAt, why, listed }];
    });
  }

  #checkTotals(number: number, now: RestFigures): void {
    const before = this.#last as RestFigures;
    const counted = now.requests - before.requests;
    const answered = this.#traffic.counted - this.#countedBefore.counted;
    const sent =
      this.#traffic.sent - this.#countedBefore.sent + this.#faults.sent - this.#countedBefore.faults;
    const upgrades = upgradesIn(now.samples) - upgradesIn(before.samples);
    if (counted < answered || counted > sent + upgrades)
      this.#breach(
        `act ${number}: ${counted} requests are counted; ${sent} were sent, ${answered} of them answered`,
      );
  }

  /** Each end of a worker has a record that explains it, but for those whose arbiter was killed. */
  async #checkDeaths(): Promise<void> {
    for (const each of this.#site.census.seen) {
      const { pid, parent, goneAt, role } = each;
      if (role !== "worker" || goneAt === undefined || this.#checked.has(each)) continue;
      this.#checked.add(each);
      const killed = this.#faults.killed.get(pid);
      // Nobody was left to write it.
      if (killed === "its arbiter was killed" || this.#faults.killed.has(parent)) continue;
      const record = await this.#records.of(pid);
      const fault = record === undefined ? "it has no record" : storyFault(record, killed);
      if (fault !== undefined)
        this.#breach(
          `tsgun why ${pid}: ${fault} (ended ${new Date(goneAt).toISOString()}, ${killed ?? "not killed here"})`,
        );
    }
  }

  readonly #checked = new Set<unknown>();
}

/** WebSockets count as requests, with status 101. */
function upgradesIn(samples: Samples): number {
  return sumOf(samples, "http_server_request_duration_seconds_count", /status_code="101"/);
}
