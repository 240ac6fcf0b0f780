/** Pods: termination, probes and resource limits. */
import { formatDuration } from "../../../config/number-kind.ts";
import { longestStop, QUIT_TIMEOUT_TEXT } from "../../../config/stop-time.ts";
import { stopSeconds } from "../../init/deployment.ts";
import { isLoopback } from "../bound-addresses.ts";
import { type Facts, type PodServer, settingPlace } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import { PROBE_KINDS, type Probe, type ProbeKind } from "../kubernetes-pods.ts";

/** Default of terminationGracePeriodSeconds. */
const DEFAULT_GRACE_PERIOD_MS = 30_000;

function gracePeriod({ pods }: Facts): Match[] {
  return pods.flatMap(({ pod, container, config }): Match[] => {
    const theirs = pod.gracePeriod?.value ?? DEFAULT_GRACE_PERIOD_MS;
    const ours = longestStop(config) + container.preStopTime;
    if (theirs > ours) return [];
    const parts = [
      `graceful-timeout ${formatDuration(config.gracefulTimeout)}`,
      `drain-delay ${formatDuration(config.drainDelay)}`,
      ...(container.preStopTime > 0 ? [`preStop ${formatDuration(container.preStopTime)}`] : []),
      QUIT_TIMEOUT_TEXT,
    ];
    return [
      {
        where: formatFileLine(pod.gracePeriod?.place ?? pod.place),
        what: `${pod.name} is killed after ${formatDuration(theirs)}${pod.gracePeriod === undefined ? " (the default)" : ""}, but may take ${formatDuration(ours)} to stop: ${parts.join(", ")}`,
        mend: `write terminationGracePeriodSeconds: ${stopSeconds(config, config.drainDelay + container.preStopTime)}`,
      },
    ];
  });
}

function noDrain({ pods }: Facts): Match[] {
  return pods
    .filter(({ container, config }) => config.drainDelay === 0 && !container.preStop)
    .map(({ container }) => ({
      where: formatFileLine(container.place),
      what: `${container.name} has neither --drain-delay nor a preStop hook`,
    }));
}

/** Reports the probes of these kinds for which `wrong` returns a fault. */
function probes(
  facts: Facts,
  kinds: readonly ProbeKind[],
  wrong: (probe: Probe, server: PodServer) => string | undefined,
): Match[] {
  return facts.pods.flatMap((server) =>
    kinds.flatMap((kind): Match[] => {
      const probe = server.container.probes[kind];
      const what = probe === undefined ? undefined : wrong(probe, server);
      return probe === undefined || what === undefined
        ? []
        : [{ where: formatFileLine(probe.place), what: `the ${kind} ${what}` }];
    }),
  );
}

function asksApp(probe: Probe, { config }: PodServer): string | undefined {
  const app = config.bind.some((address) => address.kind === "tcp" && address.port === probe.portNumber);
  return app ? `asks the app's port ${probe.port}` : undefined;
}

function asksUnservedPort(probe: Probe, { config }: PodServer): string | undefined {
  const ports = [...config.bind, ...(config.adminBind === undefined ? [] : [config.adminBind])];
  if (probe.port === undefined) return undefined;
  if (probe.portNumber === undefined) return `asks port ${probe.port}, which the container does not declare`;
  const there = ports.filter((address) => address.kind === "tcp" && address.port === probe.portNumber);
  if (there.length === 0) return `asks port ${probe.port}, where tsgun does not listen`;
  const hidden = there.every((address) => address.kind === "tcp" && isLoopback(address.host));
  return hidden ? `asks port ${probe.port}, where tsgun listens only inside the pod` : undefined;
}

function noReadiness({ pods }: Facts): Match[] {
  return pods
    .filter(({ container }) => container.probes.readinessProbe === undefined)
    .map(({ container }) => ({
      where: formatFileLine(container.place),
      what: `${container.name} has no readinessProbe`,
    }));
}

function bindsLoopback(facts: Facts): Match[] {
  return facts.pods
    .filter(({ config }) =>
      config.bind.every((address) => address.kind === "tcp" && isLoopback(address.host)),
    )
    .map((server) => ({
      where: formatFileLine(server.container.place),
      what: `${server.container.name} listens only inside the pod: ${settingPlace(server, "bind")}`,
    }));
}

function cpuLimit({ pods }: Facts): Match[] {
  return pods.flatMap(({ container: { cpuLimit: limit }, config: { workers } }): Match[] => {
    if (limit === undefined || workers === "auto" || workers <= 2 * Math.ceil(limit.value)) return [];
    return [{ where: formatFileLine(limit.place), what: `${workers} workers share ${limit.value} CPUs` }];
  });
}

function memoryLimit({ pods }: Facts): Match[] {
  return pods.flatMap(({ container: { memoryLimit: limit, cpuLimit: cpus }, config }): Match[] => {
    const { maxMemory } = config;
    const workers = config.workers === "auto" ? Math.ceil(cpus?.value ?? 1) : config.workers;
    if (limit === undefined || maxMemory === 0 || maxMemory === "auto") return [];
    if (maxMemory * workers <= limit.value) return [];
    return [
      {
        where: formatFileLine(limit.place),
        what: `${workers} workers may use ${maxMemory} bytes each (max-memory), but the container only ${limit.value}`,
      },
    ];
  });
}

export const KUBERNETES: readonly Rule[] = [
  {
    id: "kubernetes-grace-period",
    level: "error",
    title:
      "`terminationGracePeriodSeconds` (30 by default) is not longer than `graceful-timeout`, `drain-delay`, preStop and 5s together",
    breaks: "A rolling update kills requests in flight, or an app that is shutting down.",
    mend: "make terminationGracePeriodSeconds longer than their sum",
    check: gracePeriod,
  },
  {
    id: "kubernetes-no-drain",
    level: "error",
    title: "neither `--drain-delay` nor a preStop hook",
    breaks:
      "Nodes that have not yet removed the pod send it connections, which are refused: errors in every rolling update.",
    mend: "give tsgun --drain-delay 5s",
    check: noDrain,
  },
  {
    id: "kubernetes-liveness-on-app",
    level: "error",
    title: "the livenessProbe asks the app's port",
    breaks:
      "When all workers are busy, the pod is restarted, which leaves more work to the other pods, until they fail too.",
    mend: "give tsgun --admin-bind 0.0.0.0:9000, and ask /health/live there",
    check: (facts) => probes(facts, ["livenessProbe"], asksApp),
  },
  {
    id: "kubernetes-liveness-on-ready",
    level: "error",
    title: "the livenessProbe asks /health/ready or /health/startup",
    breaks: "A pod is restarted while it boots, and with /health/ready while it drains or replaces workers.",
    mend: "ask /health/live in the livenessProbe",
    check: (facts) =>
      probes(facts, ["livenessProbe"], ({ path }) => {
        if (path === "/health/startup") return "asks whether the pod has started";
        return path === "/health/ready" ? "asks whether the pod is ready" : undefined;
      }),
  },
  {
    id: "kubernetes-startup-on-ready",
    level: "warning",
    title: "the startupProbe asks /health/ready",
    breaks:
      "A pod whose app says at its start that it is not ready, because a database is away, is restarted again and again.",
    mend: "ask /health/startup in the startupProbe",
    check: (facts) =>
      probes(facts, ["startupProbe"], ({ path }) =>
        path === "/health/ready" ? "asks whether the pod is ready" : undefined,
      ),
  },
  {
    id: "kubernetes-readiness-on-live",
    level: "error",
    title: "the readinessProbe asks /health/live or /health/startup",
    breaks: "A pod gets requests while it stops, and while all of its workers are stuck.",
    mend: "ask /health/ready in the readinessProbe",
    check: (facts) =>
      probes(facts, ["readinessProbe"], ({ path }) =>
        path === "/health/live" || path === "/health/startup" ? `asks ${path}` : undefined,
      ),
  },
  {
    id: "kubernetes-readiness-on-app",
    level: "warning",
    title: "the readinessProbe asks the app's port",
    breaks:
      "A stopping pod still reports that it is ready during its drain-delay, and a pod with busy workers reports that it is not.",
    mend: "give tsgun --admin-bind 0.0.0.0:9000, and ask /health/ready there",
    check: (facts) => probes(facts, ["readinessProbe"], asksApp),
  },
  {
    id: "kubernetes-probe-nobody",
    level: "error",
    title: "a probe asks a port where tsgun does not listen, or only on 127.0.0.1",
    breaks: "The probe always fails: the pod gets no requests, or is restarted again and again.",
    mend: "set --admin-bind to 0.0.0.0:PORT, with the probe's port",
    check: (facts) => probes(facts, PROBE_KINDS, asksUnservedPort),
  },
  {
    id: "kubernetes-no-readiness",
    level: "warning",
    title: "no readinessProbe",
    breaks: "A new pod gets requests before its workers are ready.",
    mend: "give tsgun --admin-bind 0.0.0.0:9000, and ask /health/ready there",
    check: noReadiness,
  },
  {
    id: "kubernetes-bind-loopback",
    level: "error",
    title: "tsgun listens at 127.0.0.1 in the pod, its default",
    breaks: "No request reaches the pod.",
    mend: "give tsgun --bind 0.0.0.0:8000",
    check: bindsLoopback,
  },
  {
    id: "kubernetes-cpu-limit",
    level: "warning",
    title: "`workers` is more than twice the CPU limit",
    breaks:
      "Workers compete for the CPUs and are throttled together: they waste memory, and responses pause.",
    mend: "set workers to auto, which follows the limit",
    check: cpuLimit,
  },
  {
    id: "kubernetes-memory-limit",
    level: "warning",
    title: "`max-memory` times `workers` is above the memory limit",
    breaks: "The kernel kills processes before tsgun replaces workers that have grown.",
    mend: "lower max-memory or workers, or raise the limit",
    check: memoryLimit,
  },
];
