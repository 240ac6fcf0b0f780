/** nginx or HAProxy, with a lane for each kind of server and each of its own ways to forward. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../support/random.ts";
import { generatedCase } from "../differential/case.ts";
import { randomPlaces } from "../differential/engine-check.ts";
import type { ServerKind } from "../differential/socket-lane.ts";
import type { Subject } from "../differential/subjects.ts";
import { cut } from "../drive.ts";
import { ProxiedLane } from "./proxied-lane.ts";
import { type ProxyName, RunningProxy } from "./proxy.ts";

const SERVERS: readonly ServerKind[] = ["gateway", "node"];
const YES_AND_NO = [false, true];

export interface ProxiedSubject extends Subject {
  readonly all: readonly ProxiedLane[];
}

/** @param copies lanes of each kind */
export async function openProxied(name: ProxyName, copies: number): Promise<ProxiedSubject> {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-proxies-"));
  let proxy: RunningProxy | undefined;
  const all: ProxiedLane[] = [];
  for (let copy = 0; copy < copies; copy += 1) {
    for (const kind of SERVERS) {
      for (const streams of YES_AND_NO) {
        for (const lenient of YES_AND_NO) {
          const lane = `lane${all.length}`;
          const paths = {
            name: lane,
            entrance: join(folder, `${lane}.in`),
            upstream: join(folder, `${lane}.out`),
            secret: `${lane}-${Math.random()}`,
            streams,
            lenient,
          };
          all.push(await ProxiedLane.open(paths, kind, () => proxy as RunningProxy));
        }
      }
    }
  }
  const close = async (): Promise<void> => {
    await proxy?.stop();
    for (const lane of all) lane.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    proxy = await RunningProxy.start(
      name,
      folder,
      all.map(({ paths }) => paths),
    );
  } catch (error) {
    await close();
    throw error;
  }
  const free = [...all];
  return {
    name,
    all,
    generate: generatedCase,
    lanes: all.length,
    check: async ({ text, seed }) => {
      const lane = free.shift() as ProxiedLane;
      const random = new Random(seed);
      const bytes = Buffer.from(text, "latin1");
      const places = random.below(2) === 0 ? [] : randomPlaces(bytes.length, random);
      try {
        const forwarded = await lane.check(cut(bytes, places));
        return `${forwarded} forwarded`;
      } finally {
        free.push(lane);
      }
    },
    close,
  };
}
