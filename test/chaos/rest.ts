/** The conditions that must hold when all faults of an act are over and no client asks: everything is as it was, and nothing is left. */
import { readFileSync } from "node:fs";
import { requestControl } from "../../src/control/control-client.ts";
import { listRecords, MAX_FILES } from "../../src/records/record-folder.ts";
import { ask } from "../support/ask.ts";
import { until } from "../support/command.ts";
import { readMetrics, type Samples, sumOf } from "../support/metrics-text.ts";
import { descriptorsOf } from "./census.ts";
import { type Site, WORKERS } from "./site.ts";

/** A stuck worker, a boot timeout and a drain may follow each other, on a busy machine. */
const DEADLINE_MS = 90_000;
/** The arbiter's memory; its heap and Node's own make about 60 to 100 MB. */
const MAX_ARBITER_BYTES = 220_000_000;
/** The descriptors that the arbiter of a server at rest has open beyond that of the first rest: connections of commands that just end. */
const DESCRIPTOR_SLACK = 4;

export interface RestFigures {
  readonly pid: number;
  readonly descriptors: readonly string[];
  readonly pssBytes: number;
  readonly samples: Samples;
  readonly requests: number;
  readonly files: readonly string[];
}

/**
 * Waits until the server is as its configuration says, and brings the next way.
 * @throws Error with what is still different after the deadline
 */
export async function rest(site: Site, next = site.way): Promise<number> {
  await calm(site, undefined);
  site.setWay(next);
  // Faults have changed the number of workers, and the app may be one that was broken for a moment, or of another way.
  const path = site.takeUpgrade() ? "/upgrade" : "/reload";
  await until(`POST ${path} succeeds`, async () => {
    return (await requestControl(site.controlSocket, "POST", path)).status === 200;
  });
  return await calm(site, WORKERS);
}

/** Waits until it serves, with as many workers as it wants, and no other process is there. */
async function calm(site: Site, workers: number | undefined): Promise<number> {
  let seen = "";
  try {
    return await until(
      "the server is calm",
      async () => {
        const status = await site.status();
        site.census.look();
        const living = site.census.living.map(({ pid, role }) => `${role} ${pid}`);
        seen = `${JSON.stringify(status)}\nprocesses: ${living.join(", ")}`;
        // Workers are taken away down to none; a reload brings them back.
        const stands = status?.state === "serving" || status?.workers.target === 0;
        if (!stands || status.workers.ready !== status.workers.target) return false;
        if (workers !== undefined && status.workers.target !== workers) return false;
        const isWhole =
          site.census.having("worker").length === status.workers.target &&
          site.census.having("arbiter").length === 1 &&
          site.census.living.length === status.workers.target + 1;
        return isWhole && site.census.having("arbiter")[0]?.pid === status.pid && status.pid;
      },
      DEADLINE_MS,
    );
  } catch {
    throw new Error(`the server is not at rest after ${DEADLINE_MS} ms: ${seen}`);
  }
}

export async function figures(site: Site, pid: number): Promise<RestFigures> {
  const metrics = await ask({ path: site.controlSocket }, "/metrics");
  const { samples } = readMetrics(metrics.text);
  return {
    pid,
    descriptors: descriptorsOf(pid).sort(),
    pssBytes: pssOf(pid),
    samples,
    requests: sumOf(samples, "http_server_request_duration_seconds_count"),
    files: site.files(),
  };
}

function pssOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) * 1024;
}

/** The differences from the first rest that may not be. */
export function leftovers(site: Site, first: RestFigures, now: RestFigures): string[] {
  const faults: string[] = [];
  if (now.descriptors.length > first.descriptors.length + DESCRIPTOR_SLACK)
    faults.push(
      `the arbiter has ${now.descriptors.length} open descriptors, not ${first.descriptors.length}: ${surplus(first.descriptors, now.descriptors).join(", ")}`,
    );
  if (now.pssBytes > MAX_ARBITER_BYTES) faults.push(`the arbiter uses ${now.pssBytes} bytes of memory`);
  // A link is named by its arbiter.
  const files = now.files.filter((name) => name !== `state/tsgun/tsgun-${now.pid}.ctl`);
  const more = files.filter((name) => !first.files.includes(name));
  if (more.length > 0) faults.push(`files were left: ${more.join(", ")}`);
  const records = listRecords(site.records).length;
  if (records > MAX_FILES) faults.push(`there are ${records} records`);
  const inFlight = sumOf(now.samples, "http_server_active_requests");
  if (inFlight !== 0) faults.push(`${inFlight} requests are in flight while no client asks`);
  const workers = sumOf(now.samples, "tsgun_workers");
  if (workers !== WORKERS) faults.push(`the metrics have ${workers} workers`);
  return faults;
}

/** The elements of `all` beyond those of `known`. */
function surplus(known: readonly string[], all: readonly string[]): string[] {
  const left = [...known];
  return all.filter((each) => {
    const at = left.indexOf(each);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}
