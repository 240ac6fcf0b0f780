/** Facts for the rules of `tsgun doctor`, from texts as they stand in files; and the command itself. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { resolveConfig } from "../../src/config/config.ts";
import { streamsOf } from "../../src/deploy/doctor/bound-addresses.ts";
import { parseDockerfile } from "../../src/deploy/doctor/dockerfile.ts";
import type { Facts, Machine, RunningServer } from "../../src/deploy/doctor/facts.ts";
import { parsePods } from "../../src/deploy/doctor/kubernetes-pods.ts";
import { nginxSetup } from "../../src/deploy/doctor/nginx-sites.ts";
import { parseNginx } from "../../src/deploy/doctor/nginx-syntax.ts";
import { parseUnit } from "../../src/deploy/doctor/systemd-syntax.ts";
import { Unit } from "../../src/deploy/doctor/systemd-unit.ts";
import { COMMAND } from "./command.ts";

/** The facts; anything left out does not exist. */
export interface Situation {
  /** As in a configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly nginx?: string;
  readonly service?: string;
  readonly socket?: string;
  readonly kubernetes?: string;
  readonly dockerfile?: string;
  readonly dependencies?: readonly string[];
  readonly nodeEnv?: string;
  readonly machine?: Partial<Machine>;
  readonly server?: RunningServer;
}

/** A machine on which nothing is wrong, with Debian's nginx. */
const MACHINE: Machine = {
  cpus: { value: 2, source: "affinity" },
  memory: undefined,
  somaxconn: 4096,
  koffi: true,
  addresses: ["10.0.0.5"],
  nginxVersion: [1, 22, 1],
  nginxUser: { name: "www-data", uid: 33, gids: [33], groups: ["www-data"] },
  sockets: [],
  trusted: { owners: [0, 1000], files: [] },
};

export const VERSION = "0.1.0";

export async function factsOf(situation: Situation): Promise<Facts> {
  const { config = {}, nginx = "", service, socket, kubernetes, machine, server } = situation;
  const { dockerfile, dependencies = [], nodeEnv } = situation;
  const start = resolveConfig([{ values: config, origin: () => "tsgun.config.ts" }]);
  const unit = (file: string, text: string): Unit => new Unit(file, parseUnit(text, file));
  const socketUnits = socket === undefined ? [] : [unit("shop.socket", socket)];
  const pods = kubernetes === undefined ? [] : await parsePods(kubernetes, "shop.yaml");
  const streams = socketUnits.flatMap(streamsOf);
  return {
    ...start,
    version: VERSION,
    folder: "/srv/shop",
    nginx: nginxSetup([parseNginx(nginx, "site.conf")]),
    services: service === undefined ? [] : [{ ...start, unit: unit("shop.service", service) }],
    socketUnits,
    pods: pods.flatMap((pod) => pod.containers.map((container) => ({ ...start, pod, container }))),
    image: dockerfile === undefined ? undefined : parseDockerfile(dockerfile, "Dockerfile"),
    dependencies,
    nodeEnv,
    bound: streams.length > 0 ? streams : start.config.bind,
    machine: { ...MACHINE, ...machine },
    server,
  };
}

/** `tsgun doctor` through the built command, to its end. */
export function examine(folder: string, ...words: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [COMMAND, "doctor", ...words], {
    cwd: folder,
    encoding: "utf8",
    input: "",
    timeout: 30_000,
  });
}
