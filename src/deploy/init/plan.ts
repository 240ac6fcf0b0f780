/** Builds the deployment that every file is written from, out of the options, the project and its configuration. */
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { makeConfig } from "../../config/config.ts";
import { findConfigFile } from "../../config/config-source.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { ConfigFile } from "../../loader/config-file.ts";
import { boundAddress, CONTAINER, type Deployment, defaultSocket } from "./deployment.ts";
import type { FileKind } from "./files.ts";
import { readProject } from "./project.ts";

export interface DeploymentOptions {
  readonly kinds: ReadonlySet<FileKind>;
  readonly app?: string | undefined;
  /** Path of the app on the server. */
  readonly folder?: string | undefined;
  readonly domain?: string | undefined;
  /** Overwrite an existing configuration file. */
  readonly force: boolean;
}

/** A path that needs no quoting in any of the files. */
const PLAIN_PATH = /^\/[\w./+@-]+$/;
const DOMAIN = /^[\w*.-]+$/;
/** Paths hidden from a service with `ProtectHome=` and `PrivateTmp=`. */
const HIDDEN_PATH = /^\/(?:home|root|Users|tmp|var\/tmp|private)\//;
const PROXY_GROUPS = ["www-data", "nginx", "http"];

/** @throws FatalError (usage) */
export async function planDeployment(cwd: string, options: DeploymentOptions): Promise<Deployment> {
  const { kinds, domain = "localhost" } = options;
  if (!DOMAIN.test(domain)) throw new FatalError(`--domain: "${domain}" is not a domain`, ExitCode.usage);
  const { config, written } = await currentConfig(cwd, kinds.has("config") && options.force);
  const project = readProject(cwd, options.app ?? config.app);
  const own = defaultSocket(project.name);
  const folder = serverFolder(cwd, project.name, options.folder);
  const binds = config.bind.map((address) => boundAddress(address, folder, config));
  return {
    ...project,
    folder,
    domain,
    proxyGroup: proxyGroup(),
    sockets: written.has("bind") ? binds : [own],
    // systemd passes the socket. Without systemd the server binds it itself.
    bind: kinds.has("nginx") && !kinds.has("systemd") && !written.has("bind") ? own : undefined,
    config,
    port: CONTAINER.port,
    healthPort: CONTAINER.healthPort,
  };
}

/** Reads the project's configuration, or returns the defaults if there is none or it will be overwritten. */
async function currentConfig(
  cwd: string,
  overwritten: boolean,
): Promise<{ config: Config; written: Set<string> }> {
  const file = overwritten ? undefined : findConfigFile(cwd);
  if (file === undefined) return { config: makeConfig([]), written: new Set() };
  const { layer } = await new ConfigFile(file, cwd).read({ env: process.env });
  return { config: makeConfig([layer]), written: new Set(Object.keys(layer.values)) };
}

/** Returns `--folder`, else the current folder if the service can see it, else a path under /srv. */
function serverFolder(cwd: string, name: string, option: string | undefined): string {
  if (option !== undefined) {
    if (isAbsolute(option) && PLAIN_PATH.test(option)) return option.replace(/\/+$/, "");
    throw new FatalError(
      `--folder: "${option}" is not an absolute path of letters, digits and ./+@_-`,
      ExitCode.usage,
    );
  }
  return PLAIN_PATH.test(cwd) && !HIDDEN_PATH.test(`${cwd}/`) ? cwd : `/srv/${name}`;
}

/** Returns nginx's group on this machine. */
function proxyGroup(): string {
  let groups = "";
  try {
    groups = readFileSync("/etc/group", "utf8");
  } catch {
    // Fall back to Debian's name below.
  }
  return PROXY_GROUPS.find((name) => groups.includes(`${name}:`)) ?? "www-data";
}
