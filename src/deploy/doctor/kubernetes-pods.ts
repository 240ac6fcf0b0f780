/** Reads the pods of a Kubernetes manifest with their lines: grace period, probes, commands, limits. */
import type { FileLine } from "./file-line.ts";
import { below, parseYaml, type YamlNode } from "./yaml-nodes.ts";

export interface Probe {
  readonly place: FileLine;
  /** Undefined for a probe that does not use HTTP. */
  readonly path: string | undefined;
  /** As written: a number, or the name of a port. */
  readonly port: string | undefined;
  /** The port number, if known. */
  readonly portNumber: number | undefined;
}

export interface Container {
  readonly name: string;
  readonly place: FileLine;
  /** `command` followed by `args`. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly probes: Readonly<Partial<Record<ProbeKind, Probe>>>;
  readonly preStop: boolean;
  /** Milliseconds that a `sleep` takes; 0 for any other hook. */
  readonly preStopTime: number;
  readonly cpuLimit: Limit | undefined;
  readonly memoryLimit: Limit | undefined;
}

/** CPUs or bytes. */
export interface Limit {
  readonly value: number;
  readonly place: FileLine;
}

export interface Pod {
  readonly name: string;
  readonly place: FileLine;
  /** Milliseconds. */
  readonly gracePeriod: { readonly value: number; readonly place: FileLine } | undefined;
  readonly containers: readonly Container[];
}

export const PROBE_KINDS = ["startupProbe", "readinessProbe", "livenessProbe"] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/**
 * Returns the pods of a manifest: of Deployments, StatefulSets, DaemonSets, Jobs, CronJobs and Pods.
 * @throws FatalError (usage) that names the file and the line.
 */
export async function parsePods(text: string, file: string): Promise<Pod[]> {
  return (await parseYaml(text, file)).flatMap(podsOf);
}

function textOf(node: YamlNode | undefined): string | undefined {
  return node?.value === undefined || node.value === null ? undefined : String(node.value);
}

function podsOf(document: YamlNode): Pod[] {
  if (textOf(below(document, "kind")) === "List")
    return (below(document, "items")?.items ?? []).flatMap(podsOf);
  // A Deployment, StatefulSet, DaemonSet or Job; a CronJob; a Pod.
  const spec =
    below(document, "spec", "template", "spec") ??
    below(document, "spec", "jobTemplate", "spec", "template", "spec") ??
    below(document, "spec");
  const containers = below(spec, "containers");
  if (spec === undefined || containers === undefined) return [];
  const grace = below(spec, "terminationGracePeriodSeconds");
  return [
    {
      name: textOf(below(document, "metadata", "name")) ?? "pod",
      place: spec.place,
      gracePeriod:
        grace === undefined ? undefined : { value: Number(grace.value) * 1000, place: grace.place },
      containers: containers.items.map(containerOf),
    },
  ];
}

function containerOf(node: YamlNode): Container {
  const words = ["command", "args"].flatMap((name) => below(node, name)?.items ?? []);
  const variables = below(node, "env")?.items ?? [];
  const preStop = below(node, "lifecycle", "preStop");
  const ports = new Map(
    (below(node, "ports")?.items ?? []).map((port) => [
      textOf(below(port, "name")),
      Number(below(port, "containerPort")?.value),
    ]),
  );
  const probes = PROBE_KINDS.flatMap((kind) => {
    const probe = below(node, kind);
    return probe === undefined ? [] : [[kind, probeOf(probe, ports)] as const];
  });
  return {
    name: textOf(below(node, "name")) ?? "container",
    place: node.place,
    words: words.map((word) => textOf(word) ?? ""),
    environment: Object.fromEntries(
      variables.map((entry) => [textOf(below(entry, "name")) ?? "", textOf(below(entry, "value")) ?? ""]),
    ),
    probes: Object.fromEntries(probes),
    preStop: preStop !== undefined,
    preStopTime: sleepOf(preStop),
    cpuLimit: limitOf(below(node, "resources", "limits", "cpu"), cpus),
    memoryLimit: limitOf(below(node, "resources", "limits", "memory"), bytes),
  };
}

function probeOf(node: YamlNode, ports: ReadonlyMap<string | undefined, number>): Probe {
  const port = textOf(below(node, "httpGet", "port") ?? below(node, "tcpSocket", "port"));
  return {
    place: node.place,
    path: below(node, "httpGet") === undefined ? undefined : (textOf(below(node, "httpGet", "path")) ?? "/"),
    port,
    portNumber: port === undefined ? undefined : /^\d+$/.test(port) ? Number(port) : ports.get(port),
  };
}

function sleepOf(preStop: YamlNode | undefined): number {
  const own = Number(below(preStop, "sleep", "seconds")?.value ?? 0);
  const words = (below(preStop, "exec", "command")?.items ?? []).map((word) => textOf(word)).join(" ");
  return 1000 * Math.max(own, Number(/\bsleep (\d+)/.exec(words)?.[1] ?? 0));
}

function limitOf(node: YamlNode | undefined, read: (text: string) => number | undefined): Limit | undefined {
  const value = read(textOf(node) ?? "");
  return node === undefined || value === undefined ? undefined : { value, place: node.place };
}

/** `2`, `0.5`, `500m`. */
function cpus(text: string): number | undefined {
  const [, amount, milli] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) / (milli === "m" ? 1000 : 1);
}

const BYTES: { readonly [unit: string]: number } = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/** `1Gi`, `512Mi`, `500M`. */
function bytes(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (BYTES[unit] as number);
}
