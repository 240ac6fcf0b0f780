/** NODE_ENV, by which frameworks decide whether to show stack traces. */
import { SHOWN_STACKS } from "../../../config/app-environment.ts";
import type { Facts } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";

/**
 * Packages that send an error's stack to the client unless NODE_ENV is production: errorhandler, and those
 * based on finalhandler (Express, Connect).
 */
const STACK_LEAKING_PACKAGES = [
  "express",
  "connect",
  "finalhandler",
  "errorhandler",
  "@nestjs/platform-express",
  "@feathersjs/express",
];

/** A place that sets, or should set, NODE_ENV. */
interface NodeEnvSource {
  readonly where: string;
  readonly nodeEnv: string | undefined;
}

/** Returns undefined if NODE_ENV may be set in a source that doctor does not read. */
function ofUnit(unit: Unit): NodeEnvSource | undefined {
  const said = [...unit.all("Service", "Environment").map(({ value }) => value), unit.command]
    .flatMap((text) => [...text.matchAll(/(?:^|[\s"'])NODE_ENV=([^\s"']*)/g)])
    .at(-1)?.[1];
  const elsewhere = ["EnvironmentFile", "PassEnvironment"].some(
    (key) => unit.get("Service", key) !== undefined,
  );
  if (said === undefined && elsewhere) return undefined;
  return { where: unit.where("Service", "Environment"), nodeEnv: said };
}

function nodeEnvSources({ services, image, pods, server, config }: Facts): NodeEnvSource[] {
  const found: (NodeEnvSource | undefined)[] = services.map(({ unit, config: { env } }) =>
    env?.NODE_ENV === undefined ? ofUnit(unit) : { where: unit.file, nodeEnv: env.NODE_ENV },
  );
  for (const {
    container,
    config: { env },
  } of pods) {
    // Empty if the value comes from elsewhere (valueFrom).
    const nodeEnv = env?.NODE_ENV ?? (container.environment.NODE_ENV || image?.nodeEnv);
    // If the manifest does not set it, the image decides, and that need not be the one built here.
    if (nodeEnv !== undefined) found.push({ where: formatFileLine(container.place), nodeEnv });
  }
  if (image?.isTsgun === true && (image.nodeEnv !== undefined || image.onNode))
    found.push({ where: formatFileLine(image.place), nodeEnv: config.env?.NODE_ENV ?? image.nodeEnv });
  if (server?.environment !== undefined) {
    const nodeEnv = config.env?.NODE_ENV ?? server.environment.NODE_ENV;
    found.push({ where: `the server (pid ${server.status.pid})`, nodeEnv });
  }
  return found.filter((source) => source !== undefined);
}

function stackLeakingPackages({ dependencies }: Facts): string[] {
  return STACK_LEAKING_PACKAGES.filter((name) => dependencies.includes(name));
}

function development(facts: Facts): Match[] {
  const shown = stackLeakingPackages(facts);
  if (shown.length === 0) return [];
  return nodeEnvSources(facts)
    .filter(({ nodeEnv }) => nodeEnv !== "production")
    .map(({ where, nodeEnv }) => ({
      where,
      what: `NODE_ENV is ${nodeEnv === undefined || nodeEnv === "" ? "not set" : nodeEnv}, and the app uses ${shown.join(", ")}`,
    }));
}

function notSet(facts: Facts): Match[] {
  const { services, image, pods, server, config, nodeEnv } = facts;
  const shown = stackLeakingPackages(facts);
  const looked = services.length > 0 || pods.length > 0 || image !== undefined || server !== undefined;
  if (shown.length === 0 || looked || (config.env?.NODE_ENV ?? nodeEnv) === "production") return [];
  return [{ where: "NODE_ENV", what: `no checked file sets it, and the app uses ${shown.join(", ")}` }];
}

const BREAKS = `Strangers see stacks of your code: ${SHOWN_STACKS}.`;

export const ENVIRONMENT: readonly Rule[] = [
  {
    id: "environment-development",
    level: "error",
    title:
      "`NODE_ENV` is not `production` in the unit, the Dockerfile, the manifest or the server, and the app uses Express or a similar framework",
    breaks: BREAKS,
    mend: 'write Environment=NODE_ENV=production in the unit, ENV NODE_ENV=production in the Dockerfile, or env: { NODE_ENV: "production" } in tsgun.config.ts',
    check: development,
  },
  {
    id: "environment-unsaid",
    level: "warning",
    title:
      "no unit, Dockerfile, manifest or server sets `NODE_ENV`, and the app uses Express or a similar framework",
    breaks: BREAKS,
    mend: 'start the server with NODE_ENV=production, or write env: { NODE_ENV: "production" } in tsgun.config.ts',
    check: notSet,
  },
];
