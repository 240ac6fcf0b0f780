/** Kubernetes pods. */
import type { Situation } from "../../support/doctor.ts";
import type { Case } from "./rule-case.ts";

const CONFIG = { bind: "0.0.0.0:8000", adminBind: "0.0.0.0:9000", drainDelay: "5s" };

/** With what some lines say; others take the place of those of that name. The pod's spec begins in line 6, the container in line 10. */
function manifest(changes: Readonly<Record<string, string>> = {}): string {
  const lines: Record<string, string> = {
    grace: "terminationGracePeriodSeconds: 50",
    readiness: "readinessProbe: { httpGet: { path: /health/ready, port: health } }",
    liveness: "livenessProbe: { httpGet: { path: /health/live, port: health } }",
    limits: "resources: { limits: { cpu: 500m, memory: 1Gi } }",
    more: "imagePullPolicy: Always",
    ...changes,
  };
  return `kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      # It is told to stop.
      ${lines.grace}
      containers:
        - name: web
          ports:
            - { name: http, containerPort: 8000 }
            - { name: health, containerPort: 9000 }
          ${lines.readiness}
          ${lines.liveness}
          ${lines.limits}
          ${lines.more}
`;
}

function pod(changes: Readonly<Record<string, string>> = {}, config: Situation["config"] = {}): Situation {
  return { kubernetes: manifest(changes), config: { ...CONFIG, ...config } };
}

function probe(kind: string, path: string, port: string): string {
  return `${kind}: { httpGet: { path: ${path}, port: ${port} } }`;
}

export const KUBERNETES_CASES: readonly Case[] = [
  {
    rule: "kubernetes-grace-period",
    what: "the default of 30s",
    ill: pod({ grace: "hostNetwork: false" }),
    well: pod(),
    where: "shop.yaml:6",
    says: /after 30s \(the default\), but may take 40s to stop: graceful-timeout 30s, drain-delay 5s/,
  },
  {
    rule: "kubernetes-grace-period",
    what: "the sleep of a preStop hook counts",
    ill: pod({ more: 'lifecycle: { preStop: { exec: { command: [sh, -c, "sleep 20"] } } }' }),
    well: pod({ more: "lifecycle: { preStop: { sleep: { seconds: 5 } } }" }),
    where: "shop.yaml:8",
    says: /after 50s, but may take 60s .* preStop 20s/,
  },
  {
    rule: "kubernetes-no-drain",
    what: "neither a delay nor a hook",
    ill: pod({}, { drainDelay: 0 }),
    well: pod({ more: "lifecycle: { preStop: { sleep: { seconds: 5 } } }" }, { drainDelay: 0 }),
    where: "shop.yaml:10",
    says: /web has neither/,
  },
  {
    rule: "kubernetes-liveness-on-app",
    what: "the app's port by its name",
    ill: pod({ liveness: probe("livenessProbe", "/", "http") }),
    well: pod(),
    where: "shop.yaml:15",
    says: /the livenessProbe asks the app's port http/,
  },
  {
    rule: "kubernetes-liveness-on-ready",
    what: "ready is not alive",
    ill: pod({ liveness: probe("livenessProbe", "/health/ready", "9000") }),
    well: pod({ liveness: probe("livenessProbe", "/health/live", "9000") }),
    where: "shop.yaml:15",
    says: /whether the pod is ready/,
  },
  {
    rule: "kubernetes-liveness-on-ready",
    what: "started is not alive",
    ill: pod({ liveness: probe("livenessProbe", "/health/startup", "9000") }),
    well: pod({ liveness: probe("livenessProbe", "/health/live", "9000") }),
    where: "shop.yaml:15",
    says: /whether the pod has started/,
  },
  {
    rule: "kubernetes-startup-on-ready",
    what: "an app may start without being ready",
    ill: pod({ more: probe("startupProbe", "/health/ready", "health") }),
    well: pod({ more: probe("startupProbe", "/health/startup", "health") }),
    where: "shop.yaml:17",
    says: /the startupProbe asks whether the pod is ready/,
  },
  {
    rule: "kubernetes-readiness-on-live",
    what: "a live pod may be stuck",
    ill: pod({ readiness: probe("readinessProbe", "/health/live", "health") }),
    well: pod(),
    where: "shop.yaml:14",
    says: /the readinessProbe asks \/health\/live/,
  },
  {
    rule: "kubernetes-readiness-on-app",
    what: "the app's port",
    ill: pod({ readiness: probe("readinessProbe", "/", "8000") }),
    well: pod(),
    where: "shop.yaml:14",
    says: /the readinessProbe asks the app's port 8000/,
  },
  {
    rule: "kubernetes-probe-nobody",
    what: "a port where tsgun does not listen",
    ill: pod({ readiness: probe("readinessProbe", "/health/ready", "9001") }),
    well: pod(),
    where: "shop.yaml:14",
    says: /asks port 9001, where tsgun does not listen/,
  },
  {
    rule: "kubernetes-probe-nobody",
    what: "an endpoint at loopback",
    ill: pod({ liveness: "tty: false" }, { adminBind: "127.0.0.1:9000" }),
    well: pod({ liveness: "tty: false" }),
    where: "shop.yaml:14",
    says: /only inside the pod/,
  },
  {
    rule: "kubernetes-probe-nobody",
    what: "an unknown port name",
    ill: pod({ readiness: probe("readinessProbe", "/health/ready", "admin") }),
    well: pod({ readiness: "readinessProbe: { exec: { command: [true] } }" }),
    where: "shop.yaml:14",
    says: /port admin, which the container does not declare/,
  },
  {
    rule: "kubernetes-no-readiness",
    what: "no probe",
    ill: pod({ readiness: "tty: false" }),
    well: pod(),
    where: "shop.yaml:10",
    says: /no readinessProbe/,
  },
  {
    rule: "kubernetes-bind-loopback",
    what: "tsgun's default",
    ill: { kubernetes: manifest() },
    well: pod(),
    where: "shop.yaml:10",
    says: /bind \(default\)/,
  },
  {
    rule: "kubernetes-cpu-limit",
    what: "8 workers, half a CPU",
    ill: pod({}, { workers: 8 }),
    well: pod({}, { workers: "auto" }),
    where: "shop.yaml:16",
    says: /8 workers share 0\.5 CPUs/,
  },
  {
    rule: "kubernetes-memory-limit",
    what: "2 workers of 768 MB in 1 GB",
    ill: pod({}, { workers: 2, maxMemory: "768MB" }),
    well: pod({}, { workers: 2, maxMemory: "512MB" }),
    where: "shop.yaml:16",
    says: /2 workers may use 805306368 bytes each/,
  },
];
