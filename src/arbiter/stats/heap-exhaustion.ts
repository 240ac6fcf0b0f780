/** Whether V8 ended a worker because its heap was full. V8 says so only on the process's standard error. Pure. */
import type { DeathSample } from "../../records/death-record.ts";
import type { Ending } from "../event.ts";
import type { FinalPage } from "./scoreboard.ts";

/** Share of the heap's limit from which V8 may give up. */
const FULL_SHARE = 0.8;
/** The exit code for SIGABRT where a shell or a container's first process stands between. */
const ABORTED = 134;
/** Samples of the last seconds: what a blocked worker uses, the arbiter sees in /proc. */
const LAST_SAMPLES = 10;

const NOTE = /heap out of memory|reached heap limit|ineffective mark-compacts/i;

/** @param samples the worker's last minute */
export function isHeapExhausted(
  { code, signal }: Ending,
  page: Pick<FinalPage, "vitals" | "note"> | undefined,
  samples: readonly Pick<DeathSample, "rss">[],
): boolean {
  if (signal !== "SIGABRT" && code !== ABORTED) return false;
  if (page?.note !== undefined && NOTE.test(page.note)) return true;
  const { vitals } = page ?? {};
  if (vitals === undefined || vitals.heapLimit <= 0) return false;
  const seen = samples.slice(-LAST_SAMPLES).map(({ rss }) => rss ?? 0);
  const most = Math.max(vitals.heapUsed, vitals.heapTotal, vitals.rss, ...seen);
  return most >= vitals.heapLimit * FULL_SHARE;
}
