/** From what is asked, the project and its configuration to the one deployment that every file is written from. */
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { makeConfig } from "../../config/config.ts";
import { findConfigFile } from "../../config/config-source.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { ConfigFile } from "../../loader/config-file.ts";
import { CONTAINER, type Deployment, defaultSocket } from "./deployment.ts";
import type { FileKind } from "./files.ts";
import { readProject } from "./project.ts";

export interface Wishes {
  readonly kinds: ReadonlySet<FileKind>;
  readonly app?: string | undefined;
  /** Where the app will lie on the server. */
  readonly folder?: string | undefined;
  readonly domain?: string | undefined;
  /** The configuration file that is there will be overwritten. */
  readonly force: boolean;
}

/** Needs no quoting in any of the files. */
const PLAIN_PATH = /^\/[\w./+@-]+$/;
const DOMAIN = /^[\w*.-]+$/;
/** What a service with `ProtectHome=` and a /tmp of its own cannot see. */
const UNSEEN = /^\/(?:home|root|Users|tmp|var\/tmp|private)\//;
const PROXY_GROUPS = ["www-data", "nginx", "http"];

/** @throws FatalError (usage) */
export async function planDeployment(cwd: string, wishes: Wishes): Promise<Deployment> {
  const { kinds, domain = "localhost" } = wishes;
  if (!DOMAIN.test(domain)) throw new FatalError(`--domain: "${domain}" is not a domain`, ExitCode.usage);
  const { config, written } = await currentConfig(cwd, kinds.has("config") && wishes.force);
  const project = readProject(cwd, wishes.app ?? config.app);
  const own = defaultSocket(project.name);
  return {
    ...project,
    folder: serverFolder(cwd, project.name, wishes.folder),
    domain,
    proxyGroup: proxyGroup(),
    sockets: written.has("bind") ? config.bind : [own],
    // systemd hands the socket over; without it the server has to bind it.
    bind: kinds.has("nginx") && !kinds.has("systemd") && !written.has("bind") ? own : undefined,
    config,
    port: CONTAINER.port,
    healthPort: CONTAINER.healthPort,
  };
}

/** The configuration that the files are written for: the one that is there, or the defaults. */
async function currentConfig(
  cwd: string,
  overwritten: boolean,
): Promise<{ config: Config; written: Set<string> }> {
  const file = overwritten ? undefined : findConfigFile(cwd);
  if (file === undefined) return { config: makeConfig([]), written: new Set() };
  const { layer } = await new ConfigFile(file, cwd).read({ env: process.env });
  return { config: makeConfig([layer]), written: new Set(Object.keys(layer.values)) };
}

/** This folder, where the service will be able to see it. */
function serverFolder(cwd: string, name: string, wished: string | undefined): string {
  if (wished !== undefined) {
    if (isAbsolute(wished) && PLAIN_PATH.test(wished)) return wished.replace(/\/+$/, "");
    throw new FatalError(
      `--folder: "${wished}" is not an absolute path of letters, digits and ./+@_-`,
      ExitCode.usage,
    );
  }
  return PLAIN_PATH.test(cwd) && !UNSEEN.test(`${cwd}/`) ? cwd : `/srv/${name}`;
}

/** nginx's group as this machine has it. */
function proxyGroup(): string {
  let groups = "";
  try {
    groups = readFileSync("/etc/group", "utf8");
  } catch {
    // Debian's will do.
  }
  return PROXY_GROUPS.find((name) => groups.includes(`${name}:`)) ?? "www-data";
}
