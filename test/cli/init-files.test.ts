/** The files that `tsgun init` writes, checked with the programs that read them. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import * as v from "valibot";
import { parseAllDocuments } from "yaml";
import { settings } from "../../src/config/settings.ts";
import { startCommand, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { initialise, projectOf } from "../support/init.ts";
import { nginxAround } from "../support/nginx.ts";

const SHOP = {
  "package.json": '{ "name": "shop", "type": "module" }',
  "package-lock.json": "{}",
  "app.ts": `import type { Handler } from "tsgun";
export const handler: Handler = (request, respond) => {
  const { scheme, host, remote, rootPath } = request;
  respond(200, {}, JSON.stringify({ scheme, host, remote: remote?.address, rootPath }));
};
`,
};
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Returns the files that each of `words` writes, by their paths. */
function written(test: TestContext, ...words: string[]): { folder: string; read(path: string): string } {
  const folder = projectOf(test, SHOP);
  const { status, stderr } = initialise(folder, ...words);
  assert.equal(status, 0, stderr);
  return { folder, read: (path) => readFileSync(join(folder, path), "utf8") };
}

test("nginx accepts the site and serves the written configuration over its Unix socket", async (t) => {
  if (!hasComponent(t, "nginx")) return;
  const { folder, read } = written(t, "config", "nginx", "--domain", "shop.example.com");
  const port = await freePort();
  const moved = (text: string): string => text.replaceAll("/run/shop.sock", `${folder}/shop.sock`);
  const site = moved(read("deploy/nginx/shop.conf"))
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace("listen [::]:80;", "");
  const file = nginxAround(folder, site);
  const log = join(folder, "error.log");
  const env = { ...process.env, PATH };
  const tested = spawnSync("nginx", ["-t", "-c", file, "-e", log], { env, encoding: "utf8" });
  assert.match(tested.stderr, /test is successful/);
  assert.doesNotMatch(tested.stderr, /\[(?:warn|emerg)\]/);

  writeFileSync(join(folder, "tsgun.config.ts"), moved(read("tsgun.config.ts")));
  const server = startCommand(t, ["--workers", "2"], { cwd: folder });
  await server.ready();
  const nginx = spawn("nginx", ["-c", file, "-e", log], { env, stdio: "ignore" });
  t.after(async () => {
    nginx.kill("SIGTERM");
    if (nginx.exitCode === null && nginx.signalCode === null) await once(nginx, "exit");
  });
  await until("nginx accepts", async () => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return socket.destroy();
  });
  const forged = {
    "x-forwarded-host": "evil.example.com",
    "x-forwarded-prefix": "/evil",
    forwarded: "for=1.2.3.4",
  };
  const host = `shop.example.com:${port}`;
  const headers = { host, ...forged };
  const answer = await new Promise<string>((resolve, reject) => {
    httpRequest({ host: "127.0.0.1", port, headers }, async (message) => {
      let text = "";
      for await (const chunk of message) text += chunk;
      resolve(text);
    })
      .once("error", reject)
      .end();
  });
  assert.deepEqual(JSON.parse(answer), {
    scheme: "http",
    host,
    remote: "127.0.0.1",
    rootPath: "",
  });
});

test("systemd-analyze finds no fault in the units", (t) => {
  if (!hasComponent(t, "systemd-analyze", "systemd")) return;
  const { folder } = written(t, "systemd", "--folder", "/srv/shop");
  // A root of its own: the distribution's units, these, and the programs that they start.
  const root = join(folder, "root");
  const units = ["/usr/lib/systemd/system", "/lib/systemd/system"].find((path) => existsSync(path)) as string;
  cpSync(units, join(root, "usr/lib/systemd/system"), { recursive: true, verbatimSymlinks: true });
  cpSync(join(folder, "deploy/systemd"), join(root, "etc/systemd/system"), { recursive: true });
  for (const program of ["bin/kill", "srv/shop/node_modules/.bin/tsgun"]) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    writeFileSync(join(root, program), "");
    chmodSync(join(root, program), 0o755);
  }
  const analyze = (...words: string[]) => spawnSync("systemd-analyze", words, { encoding: "utf8" });
  const { status, stderr } = analyze("verify", `--root=${root}`, "--man=no", "shop.service", "shop.socket");
  const ours = stderr.split("\n").filter((line) => line.includes("shop"));
  assert.deepEqual([ours, status], [[], 0]);

  // From 0 to 10, where a service may do everything. systemd calls 2 OK.
  const security = analyze(
    "security",
    "--offline=true",
    "--threshold=20",
    join(folder, "deploy/systemd/shop.service"),
  );
  assert.equal(security.status, 0, security.stdout + security.stderr);
});

const seconds = v.pipe(v.number(), v.integer(), v.minValue(1));
const probe = v.strictObject({
  httpGet: v.strictObject({
    path: v.picklist(["/health/startup", "/health/ready", "/health/live"]),
    port: v.literal("health"),
  }),
  periodSeconds: seconds,
  timeoutSeconds: v.optional(seconds),
  failureThreshold: seconds,
});
const labels = v.strictObject({ "app.kubernetes.io/name": v.literal("shop") });
const quantities = v.strictObject({ cpu: v.string(), memory: v.string() });
const named = v.strictObject({ name: v.literal("shop"), labels });

/** The fields of the Kubernetes API (apps/v1 and v1) that are written, and no others. */
const deployment = v.strictObject({
  apiVersion: v.literal("apps/v1"),
  kind: v.literal("Deployment"),
  metadata: named,
  spec: v.strictObject({
    replicas: seconds,
    selector: v.strictObject({ matchLabels: labels }),
    strategy: v.strictObject({
      rollingUpdate: v.strictObject({ maxUnavailable: v.literal(0), maxSurge: v.literal(1) }),
    }),
    template: v.strictObject({
      metadata: v.strictObject({ labels }),
      spec: v.strictObject({
        terminationGracePeriodSeconds: seconds,
        securityContext: v.strictObject({
          runAsNonRoot: v.literal(true),
          runAsUser: seconds,
          runAsGroup: seconds,
          seccompProfile: v.strictObject({ type: v.literal("RuntimeDefault") }),
        }),
        containers: v.tuple([
          v.strictObject({
            name: v.literal("shop"),
            image: v.string(),
            args: v.array(v.string()),
            ports: v.array(v.strictObject({ name: v.string(), containerPort: seconds })),
            startupProbe: probe,
            readinessProbe: probe,
            livenessProbe: probe,
            resources: v.strictObject({ requests: quantities, limits: quantities }),
            securityContext: v.strictObject({
              allowPrivilegeEscalation: v.literal(false),
              readOnlyRootFilesystem: v.literal(true),
              capabilities: v.strictObject({ drop: v.tuple([v.literal("ALL")]) }),
            }),
            volumeMounts: v.tuple([v.strictObject({ name: v.literal("tmp"), mountPath: v.literal("/tmp") })]),
          }),
        ]),
        volumes: v.tuple([v.strictObject({ name: v.literal("tmp"), emptyDir: v.strictObject({}) })]),
      }),
    }),
  }),
});
const service = v.strictObject({
  apiVersion: v.literal("v1"),
  kind: v.literal("Service"),
  metadata: named,
  spec: v.strictObject({
    selector: labels,
    ports: v.tuple([v.strictObject({ name: v.string(), port: seconds, targetPort: v.literal("http") })]),
  }),
});

test("the Kubernetes manifest has valid fields and consistent times", (t) => {
  const { read } = written(t, "kubernetes", "docker");
  const documents = parseAllDocuments(read("deploy/kubernetes/shop.yaml"));
  assert.deepEqual(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  );
  const [first, second, ...rest] = documents.map((document) => document.toJS() as unknown);
  assert.equal(rest.length, 0);
  const { spec } = v.parse(deployment, first).spec.template;
  v.parse(service, second);
  const [{ args, ports, startupProbe, readinessProbe, livenessProbe }] = spec.containers;
  const delay = settings.drainDelay.kind.parse(args[args.indexOf("--drain-delay") + 1]);
  assert.ok(delay > readinessProbe.periodSeconds * 1000 * readinessProbe.failureThreshold, `${delay}`);
  assert.ok(spec.terminationGracePeriodSeconds * 1000 > delay + settings.gracefulTimeout.default);
  assert.ok(
    startupProbe.periodSeconds * 1000 * startupProbe.failureThreshold >= settings.bootTimeout.default,
  );
  assert.deepEqual(
    [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.path),
    ["/health/startup", "/health/ready", "/health/live"],
  );
  const byName = Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort]));
  assert.deepEqual(args.slice(0, 4), [
    "--bind",
    `0.0.0.0:${byName.http}`,
    "--admin-bind",
    `0.0.0.0:${byName.health}`,
  ]);
  assert.match(read("Dockerfile"), new RegExp(`^EXPOSE ${byName.http}$`, "m"));
});

test("the service's times are consistent with tsgun's", (t) => {
  const { read } = written(t, "systemd");
  const unit = read("deploy/systemd/shop.service");
  const time = (name: string): number => Number(new RegExp(`^${name}=(\\d+)s$`, "m").exec(unit)?.[1]) * 1000;
  assert.ok(time("TimeoutStopSec") > settings.gracefulTimeout.default + settings.drainDelay.default);
  assert.ok(time("TimeoutStartSec") > settings.bootTimeout.default);
});

/** The instructions of a Dockerfile: [word, the rest of its line]. */
function instructions(text: string): [string, string][] {
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll("\\\n", " ")
    .split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => [line.split(" ")[0] as string, line.replace(/^\S+ +/, "")]);
}

test("the Dockerfile's command serves, and its HEALTHCHECK succeeds", async (t) => {
  const { folder, read } = written(t, "docker", "config");
  const all = instructions(read("Dockerfile"));
  const known = [
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "ENV",
    "USER",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
  ];
  assert.deepEqual(
    all.map(([word]) => word).filter((word) => !known.includes(word)),
    [],
  );
  const of = (word: string): string[] => all.filter(([name]) => name === word).map(([, rest]) => rest);
  assert.ok(of("RUN").includes("npm ci --omit=dev"));
  const [stage] = of("FROM").flatMap((rest) => rest.split(" AS ").slice(1));
  assert.ok(of("COPY").includes(`--from=${stage} /app/node_modules ./node_modules`));
  // Without a shell in between the program itself is process 1.
  assert.deepEqual(JSON.parse(of("ENTRYPOINT")[0] as string), ["node_modules/.bin/tsgun"]);

  const ports: Record<string, string> = {
    "8000": String(await freePort()),
    "9000": String(await freePort()),
  };
  const moved = (text: string | undefined): string[] =>
    JSON.parse((text ?? "").replaceAll(/(?<=:)(8000|9000)/g, (port) => ports[port] as string)) as string[];
  const words = moved(of("CMD").at(-1));
  const [node, ...check] = moved(/CMD (.*)$/.exec(of("HEALTHCHECK")[0] as string)?.[1]);
  assert.equal(node, "node");
  const healthy = (): number | null => spawnSync(process.execPath, check, { timeout: 10_000 }).status;
  assert.equal(healthy(), 1);
  const server = startCommand(t, words, { cwd: folder });
  await server.ready();
  assert.equal(healthy(), 0);
  const answer = await fetch(`http://127.0.0.1:${ports["8000"]}/`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await server.end(), { code: 0, signal: null });
});

test("the Dockerfile uses the project's package manager, and builds compiled apps", (t) => {
  const dockerfileOf = (files: Record<string, string>): string[] => {
    const { stdout, stderr } = initialise(projectOf(t, files), "docker", "--dry-run");
    assert.equal(stderr, "");
    return stdout.split("\n");
  };
  const app = { "app.js": "export default 1;\n", "package.json": "{}" };
  assert.ok(
    dockerfileOf({ ...app, "pnpm-lock.yaml": "" }).includes("RUN pnpm install --frozen-lockfile --prod"),
  );
  assert.ok(dockerfileOf({ ...app, "yarn.lock": "" }).includes("COPY package.json yarn.lock ./"));
  assert.ok(dockerfileOf(app).includes("RUN npm install --omit=dev"));
  const built = dockerfileOf({
    "package.json": '{ "main": "dist/app.js", "scripts": { "build": "tsc" } }',
    "package-lock.json": "{}",
    "dist/app.js": "export default 1;\n",
  });
  assert.ok(built.includes("RUN npm run build && npm prune --omit=dev"));
  assert.ok(built.includes("COPY --from=packages /app ./"));
});
