/** Writes a Dockerfile. The arbiter runs as process 1: it receives the signals and reaps orphans. */
import { CONTAINER, type Deployment, seconds, stopSeconds } from "./deployment.ts";
import type { PackageManager } from "./project.ts";

/** A Node.js release with long-term support. tsgun needs 20.11 or later. */
const IMAGE = "node:24-slim";

interface Commands {
  /** Installs all dependencies, for the build. */
  readonly install: string;
  /** Installs the production dependencies only. */
  readonly production: string;
  /** Removes the development dependencies after the build. */
  readonly prune: string;
  readonly before?: string;
}

const LOCKED: Readonly<Record<PackageManager, Commands>> = {
  npm: { install: "npm ci", production: "npm ci --omit=dev", prune: "npm prune --omit=dev" },
  pnpm: {
    before: "RUN npm install --global corepack && corepack enable\n",
    install: "pnpm install --frozen-lockfile",
    production: "pnpm install --frozen-lockfile --prod",
    prune: "CI=true pnpm prune --prod",
  },
  yarn: {
    before: "RUN npm install --global corepack && corepack enable\n",
    install: "yarn install --frozen-lockfile",
    production: "yarn install --frozen-lockfile --production",
    prune: "yarn install --frozen-lockfile --production",
  },
};

const UNLOCKED: Commands = {
  install: "npm install",
  production: "npm install --omit=dev",
  prune: "npm prune --omit=dev",
};

/** Returns the server's arguments. It must be reachable from outside the container. */
export function containerArguments(healthHost: string): readonly string[] {
  const { port, healthPort } = CONTAINER;
  return ["--bind", `0.0.0.0:${port}`, "--admin-bind", `${healthHost}:${healthPort}`];
}

function healthCheck(): string {
  const url = `http://127.0.0.1:${CONTAINER.healthPort}/health/ready`;
  // Slim images have no curl.
  const script = `fetch("${url}").then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
  return list(["node", "-e", script]);
}

function list(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
}

function packageStage({ packageManager, lockfile, built }: Deployment): string {
  const {
    before = "",
    install,
    production,
    prune,
  } = lockfile === undefined ? UNLOCKED : LOCKED[packageManager];
  const files = ["package.json", ...(lockfile === undefined ? [] : [lockfile])].join(" ");
  const copied = `FROM ${IMAGE} AS packages
WORKDIR ${CONTAINER.folder}
${before}COPY ${files} ./
`;
  if (!built) return `${copied}RUN ${production}\n`;
  const [manager] = install.split(" ");
  return `${copied}RUN ${install}\nCOPY . .\nRUN ${manager} run build && ${prune}\n`;
}

function appStage({ built }: Deployment): string {
  const { folder } = CONTAINER;
  return built
    ? `COPY --from=packages ${folder} ./`
    : `COPY --from=packages ${folder}/node_modules ./node_modules\nCOPY . .`;
}

export function dockerfile(deployment: Deployment): string {
  const { name, config } = deployment;
  const stop = stopSeconds(config, config.drainDelay);
  return `# docker build --tag ${name} .
# docker run --publish ${CONTAINER.port}:${CONTAINER.port} --stop-timeout ${stop} ${name}
# Docker's default stop timeout, 10s, would cut requests in flight.
${packageStage(deployment)}
FROM ${IMAGE}
ENV NODE_ENV=production
WORKDIR ${CONTAINER.folder}
${appStage(deployment)}
# The image's unprivileged user.
USER node
EXPOSE ${CONTAINER.port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=${seconds(config.bootTimeout)}s --retries=3 \\
  CMD ${healthCheck()}
# Exec form: tsgun is process 1, receives the signals and reaps orphans. No init is needed.
ENTRYPOINT ["node_modules/.bin/tsgun"]
# tsgun trusts the forwarded fields of a proxy in another container if --forwarded-allow-ips includes its network.
CMD ${list(containerArguments("127.0.0.1"))}
`;
}

/** Keeps the host's packages, secrets and the git history out of the image. */
export function dockerignore(): string {
  return `node_modules
.git
.env*
*.log
Dockerfile
.dockerignore
deploy
`;
}
