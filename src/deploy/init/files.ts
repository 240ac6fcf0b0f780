/** The files that `tsgun init` writes, by kind. */
import { formatAddress } from "../../config/address.ts";
import { configFile, configFileName } from "./config-file.ts";
import type { Deployment } from "./deployment.ts";
import { dockerfile, dockerignore } from "./docker.ts";
import { grafanaDashboard } from "./grafana.ts";
import { kubernetesManifest } from "./kubernetes.ts";
import { nginxSite } from "./nginx.ts";
import { prometheusConfig, prometheusRules, rulesFileName } from "./prometheus.ts";
import { serviceUnit, socketUnit } from "./systemd.ts";

export const FILE_KINDS = ["config", "nginx", "systemd", "docker", "kubernetes", "grafana"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

export interface PlannedFile {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly text: string;
  /** It accompanies another file; an existing one is good enough. */
  readonly optional?: boolean;
}

/** Used in prompts and `--help`. */
export const DESCRIPTIONS: Readonly<Record<FileKind, string>> = {
  config: "the configuration, tsgun.config.ts or .mjs",
  nginx: "a site for nginx",
  systemd: "a service and its socket for systemd",
  docker: "a Dockerfile",
  kubernetes: "a Deployment and a Service for Kubernetes",
  grafana: "a dashboard for Grafana, and alerts for Prometheus",
};

export function plannedFiles(kind: FileKind, deployment: Deployment): readonly PlannedFile[] {
  const { name } = deployment;
  switch (kind) {
    case "config":
      return [{ path: configFileName(deployment), text: configFile(deployment) }];
    case "nginx":
      return [{ path: `deploy/nginx/${name}.conf`, text: nginxSite(deployment) }];
    case "systemd":
      return [
        { path: `deploy/systemd/${name}.socket`, text: socketUnit(deployment) },
        { path: `deploy/systemd/${name}.service`, text: serviceUnit(deployment) },
      ];
    case "docker":
      return [
        { path: "Dockerfile", text: dockerfile(deployment) },
        { path: ".dockerignore", text: dockerignore(), optional: true },
      ];
    case "grafana":
      return [
        { path: `deploy/grafana/${name}.json`, text: grafanaDashboard(deployment) },
        { path: `deploy/prometheus/${rulesFileName(deployment)}`, text: prometheusRules(deployment) },
        { path: "deploy/prometheus/prometheus.yml", text: prometheusConfig(deployment) },
      ];
    case "kubernetes":
      return [{ path: `deploy/kubernetes/${name}.yaml`, text: kubernetesManifest(deployment) }];
  }
}

/** Returns what the operator does next with the files, one line per step. */
export function nextSteps(kinds: ReadonlySet<FileKind>, deployment: Deployment): readonly string[] {
  const { name, folder, domain, bind } = deployment;
  const steps: string[] = [];
  if (kinds.has("config") && bind === undefined) steps.push("serve it here: npx tsgun");
  if (kinds.has("systemd")) {
    steps.push(
      `on the server, with the app in ${folder}: sudo cp deploy/systemd/${name}.* /etc/systemd/system/ && ` +
        `sudo systemctl daemon-reload && sudo systemctl enable --now ${name}.socket ${name}.service`,
    );
  }
  if (kinds.has("nginx")) {
    steps.push(
      `sudo cp deploy/nginx/${name}.conf /etc/nginx/conf.d/ && sudo nginx -t && sudo nginx -s reload ` +
        `(it serves ${domain})`,
    );
    if (bind !== undefined) {
      steps.push(
        `without systemd (tsgun init systemd): sudo npx tsgun --bind ${formatAddress(bind)} ` +
          `--user ${deployment.proxyGroup}, nginx's user`,
      );
    }
  }
  if (kinds.has("docker")) steps.push(`docker build --tag ${name} .`);
  if (kinds.has("grafana")) {
    steps.push(
      `serve metrics with --admin-bind, run prometheus --config.file=deploy/prometheus/prometheus.yml or copy its parts to yours, ` +
        `and import deploy/grafana/${name}.json into Grafana`,
    );
  }
  if (kinds.has("kubernetes")) steps.push(`kubectl apply -f deploy/kubernetes/${name}.yaml`);
  return steps;
}
