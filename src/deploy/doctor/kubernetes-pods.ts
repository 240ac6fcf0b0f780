/** Reads the pods of a Kubernetes manifest with their lines: grace period, probes, commands, limits. */
import type { FileLine } from "./file-line.ts";
import { nodeAt, parseYaml, type YamlNode } from "./yaml-nodes.ts";

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
  if (textOf(nodeAt(document, "kind")) === "List")
    return (nodeAt(document, "items")?.items ?? []).flatMap(podsOf);
  // A Deployment, StatefulSet, DaemonSet or Job; a CronJob; a Pod.
  const spec =
    nodeAt(document, "spec", "template", "spec") ??
    nodeAt(document, "spec", "jobTemplate", "spec", "template", "spec") ??
    nodeAt(document, "spec");
  const containers = nodeAt(spec, "containers");
  if (spec === undefined || containers === undefined) return [];
  const grace = nodeAt(spec, "terminationGracePeriodSeconds");
  return [
    {
      name: textOf(nodeAt(document, "metadata", "name")) ?? "pod",
      place: spec.place,
      gracePeriod:
        grace === undefined ? undefined : { value: Number(grace.value) * 1000, place: grace.place },
      containers: containers.items.map(containerOf),
    },
  ];
}

function containerOf(node: YamlNode): Container {
  const words = ["command", "args"].flatMap((name) => nodeAt(node, name)?.items ?? []);
  const variables = nodeAt(node, "env")?.items ?? [];
  const preStop = nodeAt(node, "lifecycle", "preStop");
  const ports = new Map(
    (nodeAt(node, "ports")?.items ?? []).map((port) => [
      textOf(nodeAt(port, "name")),
      Number(nodeAt(port, "containerPort")?.value),
    ]),
  );
  const probes = PROBE_KINDS.flatMap((kind) => {
    const probe = nodeAt(node, kind);
    return probe === undefined ? [] : [[kind, probeOf(probe, ports)] as const];
  });
  return {
    name: textOf(nodeAt(node, "name")) ?? "container",
    place: node.place,
    words: words.map((word) => textOf(word) ?? ""),
    environment: Object.fromEntries(
      variables.map((entry) => [textOf(nodeAt(entry, "name")) ?? "", textOf(nodeAt(entry, "value")) ?? ""]),
    ),
    probes: Object.fromEntries(probes),
    preStop: preStop !== undefined,
    preStopTime: sleepOf(preStop),
    cpuLimit: limitOf(nodeAt(node, "resources", "limits", "cpu"), cpus),
    memoryLimit: limitOf(nodeAt(node, "resources", "limits", "memory"), bytes),
  };
}

function probeOf(node: YamlNode, ports: ReadonlyMap<string | undefined, number>): Probe {
  const port = textOf(nodeAt(node, "httpGet", "port") ?? nodeAt(node, "tcpSocket", "port"));
  return {
    place: node.place,
    path:
      nodeAt(node, "httpGet") === undefined ? undefined : (textOf(nodeAt(node, "httpGet", "path")) ?? "/"),
    port,
    portNumber: port === undefined ? undefined : /^\d+$/.test(port) ? Number(port) : ports.get(port),
  };
}

function sleepOf(preStop: YamlNode | undefined): number {
  const own = Number(nodeAt(preStop, "sleep", "seconds")?.value ?? 0);
  const words = (nodeAt(preStop, "exec", "command")?.items ?? []).map((word) => textOf(word)).join(" ");
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
