/** Gathers the facts for `tsgun doctor`: the parsed files, and the configuration of each way in which the server is started. */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Address } from "../config/address.ts";
import { environmentLayer, type Layer } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";
import { workerAddress, workerLimit } from "../config/worker-addresses.ts";
import { ownProxyPasses, streamsOf } from "../deploy/doctor/bound-addresses.ts";
import { type Image, parseDockerfile } from "../deploy/doctor/dockerfile.ts";
import type { Facts, Machine, PodServer, Service, Start } from "../deploy/doctor/facts.ts";
import { formatFileLine } from "../deploy/doctor/file-line.ts";
import { type Container, type Pod, parsePods } from "../deploy/doctor/kubernetes-pods.ts";
import { readNginx } from "../deploy/doctor/nginx-files.ts";
import { type NginxSetup, nginxSetup } from "../deploy/doctor/nginx-sites.ts";
import { readUnit, type Unit } from "../deploy/doctor/systemd-unit.ts";
import { readText } from "../deploy/doctor/text-file.ts";
import { readManifest } from "../deploy/init/project.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { displayed } from "../loader/locate.ts";
import { workerCount } from "../system/cpu-limit.ts";
import { parseCommandLine, wordsInEnvironment } from "./command-line.ts";
import { ConfigurationReader } from "./configuration.ts";
import { trustedFiles } from "./doctor-files.ts";
import { machineFacts, socketFile } from "./doctor-machine.ts";
import { findServer } from "./doctor-server.ts";
import { shellWords } from "./shell-words.ts";

export interface DoctorOptions {
  readonly config?: string;
  readonly nginx?: readonly string[];
  readonly systemd?: readonly string[];
  readonly kubernetes?: readonly string[];
  readonly pid?: string;
  readonly controlSocket?: string;
  /** The server's own command line. */
  readonly words?: readonly string[];
}

export interface Gathered {
  readonly facts: Facts;
  /** The names of the checks that ran, and of those that did not, for display. */
  readonly checked: readonly string[];
  readonly unchecked: readonly string[];
}

/** The files of one kind. */
interface CheckedFiles {
  readonly files: readonly string[];
  /** Parts of them that were not checked. */
  readonly unchecked: readonly string[];
}

/** @throws FatalError when a file or a setting cannot be read. */
export async function gatherFacts(options: DoctorOptions): Promise<Gathered> {
  const given = await givenLayer(options);
  const start = await readStart([given]);
  const nginx = nginxFacts(options.nginx);
  const systemd = await systemdFacts(options.systemd, given);
  const kubernetes = await kubernetesFacts(options.kubernetes, given, start);
  const { config, origins }: Start = systemd.services.length === 1 ? (systemd.services[0] as Start) : start;
  const folder = resolve(config.chdir ?? ".");
  const server = await findServer(config, folder, options);
  const image = imageFacts(folder);
  const streams = systemd.socketUnits.flatMap(streamsOf);
  const facts: Facts = {
    config,
    origins,
    version: packageVersion(),
    folder,
    nginx: nginx.setup,
    services: systemd.services,
    socketUnits: systemd.socketUnits,
    pods: kubernetes.pods,
    image: image?.built,
    dependencies: Object.keys(readManifest(folder).dependencies ?? {}),
    nodeEnv: process.env.NODE_ENV,
    bound: [...(streams.length > 0 ? streams : config.bind), ...slotAddresses(config)],
    machine: {
      ...machineFacts(nginx.setup.user, server?.status.pid),
      trusted: trustedFiles({ config, folder, services: systemd.services, server }),
    },
    server,
  };
  const certificates = await certificatesOf(config, folder);
  return {
    facts: { ...facts, machine: { ...facts.machine, sockets: socketsOf(facts), ...certificates } },
    checked: checkedOf(start, [nginx, systemd, kubernetes, ...(image ? [image] : [])], server?.status.pid),
    unchecked: [
      ...(nginx.files.length === 0
        ? ["nginx (--nginx FILE)"]
        : [...foreignProxyPasses(facts), ...nginx.unchecked]),
      ...(systemd.files.length === 0 ? ["systemd (--systemd FILE)"] : systemd.unchecked),
      ...(kubernetes.files.length === 0 ? ["Kubernetes (--kubernetes FILE)"] : kubernetes.unchecked),
      ...(server === undefined ? ["a running server (none here, or several; --pid PID)"] : []),
    ],
  };
}

function checkedOf({ config }: Start, read: readonly CheckedFiles[], pid: number | undefined): string[] {
  return [
    typeof config.config === "string" ? shownPath(config.config) : "settings (no configuration file)",
    ...read.flatMap(({ files }) => files).map(shownPath),
    "this machine",
    ...(pid === undefined ? [] : [`the server with pid ${pid}`]),
  ];
}

function shownPath(file: string): string {
  return displayed(resolve(file), process.cwd());
}

async function givenLayer({ config, words = [] }: DoctorOptions): Promise<Layer> {
  const layer = await parseCommandLine(words);
  if (layer === undefined) throw new FatalError("--help and --version do not start a server", ExitCode.usage);
  const named = config === undefined ? {} : { config };
  return {
    values: { ...layer.values, ...named },
    origin: (name) => (name === "config" ? "--config" : layer.origin(name)),
  };
}

/** Resolves the configuration of a start with these layers. */
async function readStart(layers: readonly Layer[]): Promise<Start> {
  const reader = new ConfigurationReader([...(await wordsInEnvironment(process.env)), ...layers]);
  const start = await reader.read();
  // The files of variables may exist on the server alone.
  return await reader.readWithVariables().catch(() => start);
}

/** Returns the layers of a start that a file describes, adding the file's name to each origin. */
async function startLayers(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  file: string,
): Promise<Layer[]> {
  const commandLine = await parseCommandLine(words);
  const layers = [
    environmentLayer(environment),
    ...(await wordsInEnvironment(environment)),
    ...(commandLine === undefined ? [] : [commandLine]),
  ];
  return layers.map((layer) => {
    const { config, ...values } = layer.values;
    // The path is one on the server and may not exist here.
    const here = typeof config !== "string" || existsSync(config);
    return {
      values: config === undefined || !here ? values : layer.values,
      origin: (name) => `${layer.origin(name)} in ${file}`,
    };
  });
}

/** Returns the named files, or else those in the folder that `tsgun init` writes to. */
function filesOf(named: readonly string[] | undefined, folder: string, endings: RegExp): string[] {
  if (named !== undefined) return [...named];
  const path = join("deploy", folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => endings.test(name))
    .sort()
    .map((name) => join(path, name));
}

function nginxFacts(named: readonly string[] | undefined): CheckedFiles & { readonly setup: NginxSetup } {
  const files = filesOf(named, "nginx", /\.conf$/);
  const read = files.map(readNginx);
  const missing = read.flatMap((entry) => entry.missing).map((entry) => `${entry} (missing)`);
  const setup = nginxSetup(read.map(({ directives }) => directives));
  // Without a proxy_pass the rules find nothing. That does not mean that the site is correct.
  const nowhere = files.length > 0 && setup.proxyPasses.length + setup.streamPasses.length === 0;
  const unchecked = nowhere
    ? [`how nginx reaches tsgun (no proxy_pass in ${files.join(", ")})`, ...missing]
    : missing;
  return { files, unchecked, setup };
}

/** Describes each proxy_pass to another server, or to one that a variable chooses. */
function foreignProxyPasses(facts: Facts): string[] {
  const own = ownProxyPasses(facts);
  return facts.nginx.proxyPasses
    .filter((proxyPass) => !own.includes(proxyPass))
    .map(
      ({ place, target }) => `proxy_pass ${target} at ${formatFileLine(place)} (apparently another server)`,
    );
}

interface Units extends CheckedFiles {
  readonly services: readonly Service[];
  readonly socketUnits: readonly Unit[];
}

async function systemdFacts(named: readonly string[] | undefined, given: Layer): Promise<Units> {
  const files = filesOf(named, "systemd", /\.(?:service|socket)$/);
  const units = files.map(readUnit);
  const socketUnits = units.filter(({ name }) => name.endsWith(".socket"));
  const others = units.filter((unit) => !socketUnits.includes(unit));
  const unchecked = others
    .filter((unit) => !unit.isTsgun)
    .map(({ file }) => `${file} (it does not appear to start tsgun)`);
  const services: Service[] = [];
  for (const unit of others.filter(({ isTsgun }) => isTsgun)) {
    const layers = await withPlace(unit, async () => {
      const environment = unit.all("Service", "Environment").flatMap(({ value }) => shellWords(value));
      return await startLayers(serverWords(shellWords(unit.command)), variables(environment), unit.file);
    });
    services.push({ ...(await readStart([given, ...layers])), unit });
    if (unit.get("Service", "EnvironmentFile") !== undefined)
      unchecked.push(`EnvironmentFile of ${unit.file}`);
  }
  return { files, services, socketUnits, unchecked };
}

async function withPlace<T>(unit: Unit, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new FatalError(
      `${unit.where("Service", "ExecStart")}: ${(error as Error).message}`,
      ExitCode.usage,
      { cause: error },
    );
  }
}

function variables(pairs: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(pairs.map((pair) => [pair.replace(/=.*$/s, ""), pair.replace(/^[^=]*=?/s, "")]));
}

const COMMAND = /(?:^|\/)tsgun(?:$|\/dist\/cli\/main\.js$)/;

/** Returns the arguments after the command; all words if the command comes from the image. */
function serverWords(words: readonly string[]): readonly string[] {
  // After a shell's -c the whole command is one word.
  const split = words.flatMap((word) => (/\btsgun\s/.test(word) ? shellWords(word) : [word]));
  return split.slice(split.findIndex((word) => COMMAND.test(word)) + 1);
}

async function kubernetesFacts(
  named: readonly string[] | undefined,
  given: Layer,
  start: Start,
): Promise<CheckedFiles & { readonly pods: readonly PodServer[] }> {
  const files = filesOf(named, "kubernetes", /\.ya?ml$/);
  const pods: PodServer[] = [];
  const unchecked: string[] = [];
  for (const file of files) {
    const shown = shownPath(file);
    for (const pod of await parsePods(readText(file), shown)) {
      for (const container of pod.containers) {
        const server = await podServer(pod, container, given, start);
        if (server === undefined) unchecked.push(foreignContainer(container));
        else pods.push(server);
      }
    }
  }
  return { files, pods, unchecked };
}

function foreignContainer({ name, place, words }: Container): string {
  const why = words.length === 0 ? "only its image defines the command" : "it does not appear to start tsgun";
  return `container ${name} at ${formatFileLine(place)} (${why})`;
}

/** Returns undefined for a container that runs another program, or one that only its image names. */
async function podServer(
  pod: Pod,
  container: Container,
  given: Layer,
  start: Start,
): Promise<PodServer | undefined> {
  const { words, environment, place } = container;
  const named = words.some((word) => COMMAND.test(word) || /\btsgun\s/.test(word));
  if (words.length === 0 && !start.origins.has("bind")) return undefined;
  try {
    const layers = await startLayers(serverWords(words), environment, place.file);
    const hasSettings = layers.some(({ values }) => Object.keys(values).some((name) => name !== "app"));
    if (!named && words.length > 0 && !hasSettings) return undefined;
    return { ...(await readStart([given, ...layers])), pod, container };
  } catch (error) {
    if (!named) return undefined;
    throw new FatalError(`${formatFileLine(place)}: ${(error as Error).message}`, ExitCode.usage, {
      cause: error,
    });
  }
}

/** Reads the folder's Dockerfile, if there is one. */
function imageFacts(folder: string): (CheckedFiles & { readonly built: Image | undefined }) | undefined {
  const file = join(folder, "Dockerfile");
  if (!existsSync(file)) return undefined;
  return { files: [file], unchecked: [], built: parseDockerfile(readText(file), shownPath(file)) };
}

/** The addresses of the workers' own sockets. */
function slotAddresses({ workerBind, workers }: Config): Address[] {
  if (workerBind === undefined) return [];
  const count = Math.min(workerCount(workers), workerLimit(workerBind));
  return Array.from({ length: count }, (_, index) => workerAddress(workerBind, index + 1));
}

/** Returns the existing Unix sockets of the server and of nginx's upstreams. */
function socketsOf(facts: Facts): Machine["sockets"] {
  const servers = ownProxyPasses(facts).flatMap((proxyPass) => proxyPass.servers);
  const paths = [...facts.bound, ...servers].flatMap((address) =>
    address.kind === "unix" ? [resolve(facts.folder, address.path)] : [],
  );
  return [...new Set(paths)].flatMap((path) => socketFile(path) ?? []);
}

async function certificatesOf(config: Config, folder: string): Promise<Pick<Machine, "certificates">> {
  const { certfile, keyfile, adminCertfile } = config;
  if (certfile === undefined && keyfile === undefined && adminCertfile === undefined) return {};
  const { examineCertificates } = await import("./doctor-certificates.ts");
  return { certificates: await examineCertificates(config, folder) };
}
