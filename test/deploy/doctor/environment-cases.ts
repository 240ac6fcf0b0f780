/** NODE_ENV, in each place that may set it. */
import type { RunningServer } from "../../../src/deploy/doctor/facts.ts";
import type { Situation } from "../../support/doctor.ts";
import { RUNNING } from "./machine-cases.ts";
import type { Case } from "./rule-case.ts";

const EXPRESS = { dependencies: ["express", "pg"] };

function unit(...lines: readonly string[]): string {
  return ["[Service]", "ExecStart=/srv/shop/node_modules/.bin/tsgun app.js", ...lines].join("\n");
}

function manifest(value: string): string {
  return `kind: Pod
spec:
  containers:
    - name: web
      args: [tsgun, app.js]
      env: [{ name: NODE_ENV, value: ${value} }]
`;
}

function image(...lines: readonly string[]): string {
  return ["FROM node:24", ...lines, 'ENTRYPOINT ["node_modules/.bin/tsgun"]', 'CMD ["app.js"]'].join("\n");
}

function running(environment: RunningServer["environment"]): Situation {
  return { ...EXPRESS, server: { ...RUNNING, environment } };
}

const rule = "environment-development";

export const ENVIRONMENT_CASES: readonly Case[] = [
  {
    rule,
    what: "a unit without it",
    ill: { ...EXPRESS, service: unit() },
    well: { ...EXPRESS, service: unit('Environment="TZ=UTC" "NODE_ENV=production"') },
    where: "shop.service",
    says: /^NODE_ENV is not set, and the app uses express$/,
  },
  {
    rule,
    what: "a unit in which the last word is another",
    ill: { ...EXPRESS, service: unit("Environment=NODE_ENV=production", "Environment=NODE_ENV=staging") },
    well: { ...EXPRESS, service: unit("EnvironmentFile=/etc/shop.env") },
    where: "shop.service:4",
    says: /^NODE_ENV is staging/,
  },
  {
    rule,
    what: "another framework based on Express",
    ill: { dependencies: ["@nestjs/platform-express"], service: unit() },
    well: { dependencies: ["hono"], service: unit() },
    where: "shop.service",
    says: /uses @nestjs\/platform-express$/,
  },
  {
    rule,
    what: "the configuration sets it",
    ill: { ...EXPRESS, service: unit(), config: { env: { NODE_ENV: "test" } } },
    well: { ...EXPRESS, service: unit(), config: { env: { NODE_ENV: "production" } } },
    where: "shop.service",
    says: /^NODE_ENV is test/,
  },
  {
    rule,
    what: "a Dockerfile without it",
    ill: { ...EXPRESS, dockerfile: image("# ENV NODE_ENV=production") },
    well: { ...EXPRESS, dockerfile: image("ENV TZ=UTC \\", "    NODE_ENV=production") },
    where: "Dockerfile:1",
    says: /not set/,
  },
  {
    rule,
    what: "a Dockerfile in which an earlier stage has it",
    ill: { ...EXPRESS, dockerfile: `FROM node:24 AS packages\nENV NODE_ENV=production\n${image()}` },
    well: {
      ...EXPRESS,
      dockerfile: `FROM node:24 AS base\nENV NODE_ENV production\n${image().replace("node:24", "base")}`,
    },
    where: "Dockerfile:3",
    says: /not set/,
  },
  {
    rule,
    what: "an image based on another one than Node's may inherit it",
    ill: { ...EXPRESS, dockerfile: image().replace("node:24", "registry.example/library/node") },
    well: { ...EXPRESS, dockerfile: image().replace("node:24", "registry.example/our-base:1") },
    where: "Dockerfile:1",
    says: /not set/,
  },
  {
    rule,
    what: "a manifest with another value",
    ill: { ...EXPRESS, kubernetes: manifest("development") },
    well: { ...EXPRESS, kubernetes: manifest("production") },
    where: "shop.yaml:4",
    says: /^NODE_ENV is development/,
  },
  {
    rule,
    what: "a server that runs without it",
    ill: running({ PATH: "/usr/bin" }),
    well: running({ PATH: "/usr/bin", NODE_ENV: "production" }),
    where: "the server (pid 7)",
    says: /not set/,
  },
  {
    rule: "environment-unsaid",
    what: "nothing sets it",
    ill: EXPRESS,
    well: { ...EXPRESS, nodeEnv: "production" },
    where: "NODE_ENV",
    says: /no checked file sets it, and the app uses express/,
  },
];
