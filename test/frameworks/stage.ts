/** A framework's built server, unmodified, under the built command with two workers, behind a real nginx. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type RunningCommand, startCommand, temporaryFolder } from "../support/command.ts";
import type { Exchange } from "../support/load.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import type { Framework } from "./catalogue.ts";
import { builtProject, type Project } from "./project.ts";
import type { AppRequest } from "./requests.ts";

export interface Stage {
  readonly framework: Framework;
  readonly project: Project;
  readonly command: RunningCommand;
  /** The Unix socket that the command listens on. */
  readonly socket: string;
  readonly nginx: Nginx;
}

/** The limit for a response; far more than any takes. */
const DEADLINE_MS = 20_000;

export async function openStage(test: TestContext, framework: Framework): Promise<Stage | undefined> {
  const project = await builtProject(test, framework.project ?? framework.name);
  if (project === undefined) return undefined;
  if (framework.tls) makeCertificate(project.folder);
  const folder = temporaryFolder(test);
  const socket = join(folder, "app.sock");
  const command = startCommand(test, [framework.server, "--bind", `unix:${socket}`, "--workers", "2"], {
    cwd: project.folder,
    env: { NODE_ENV: undefined, ...framework.env },
    node: project.node,
  });
  await command.ready();
  const nginx = await startNginx(test, folder, {
    upstream: `server unix:${socket}; keepalive 32;`,
    // Without retries and without buffers, so that every failure is seen, and a stream arrives in its pieces.
    server: `
      client_max_body_size 20m;
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Connection "";
      location / {
        proxy_pass ${framework.tls ? "https" : "http"}://app;
      }
      location /socket {
        proxy_pass http://app;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
      }
    `,
  });
  return { framework, project, command, socket, nginx };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** When each piece of the content came, in milliseconds after the first. */
  readonly arrivals: readonly number[];
}

/** Sends a request to nginx on a connection of its own. */
export function send({ nginx }: Stage, { method, path, headers, body }: AppRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port: nginx.port, method, path, headers, agent: false, timeout: DEADLINE_MS },
      async (incoming) => {
        try {
          let text = "";
          const times: number[] = [];
          for await (const piece of incoming.setEncoding("utf8")) {
            text += piece;
            times.push(performance.now());
          }
          const arrivals = times.map((time) => time - (times[0] ?? time));
          resolve({ status: incoming.statusCode ?? 0, text, arrivals });
        } catch (error) {
          reject(error as Error);
        }
      },
    );
    outgoing.once("error", reject);
    outgoing.once("timeout", () => outgoing.destroy(new Error(`no response in ${DEADLINE_MS} ms`)));
    outgoing.end(body);
  });
}

/** Sends a request and checks its response; returns the response with what `expected` found. */
export async function ask(stage: Stage, appRequest: AppRequest): Promise<Answer & { found: string }> {
  const answer = await send(stage, appRequest);
  const fault = faultOf(answer.status, answer.text, appRequest);
  assert.equal(fault, undefined, `${appRequest.method} ${appRequest.path}: ${fault}`);
  const match = new RegExp(appRequest.expected).exec(answer.text);
  return { ...answer, found: match?.[1] ?? match?.[0] ?? "" };
}

/** The request as bytes, for a load. */
export function exchangeOf(appRequest: AppRequest): Exchange {
  const { method, path, headers = {}, body } = appRequest;
  const fields = { host: "app.example", ...headers, ...(body && { "content-length": `${body.length}` }) };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  const head = Buffer.from([`${method} ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
  return {
    label: `${method} ${path}`,
    method,
    parts: [body === undefined ? head : Buffer.concat([head, body])],
    check: (answer) => faultOf(answer.status, answer.body.toString(), appRequest),
  };
}

/** nginx's errors about its upstream. */
export function complaints({ nginx }: Stage): string[] {
  return nginx
    .errors()
    .split("\n")
    .filter((line) => /upstream|\[(?:error|crit|alert|emerg)\]/.test(line));
}

function faultOf(status: number, text: string, { expected }: AppRequest): string | undefined {
  const isRight = typeof expected === "string" ? text.includes(expected) : expected.test(text);
  // GraphQL, and frameworks that answer a POST with 201, count as right too.
  if (status >= 200 && status < 300 && isRight) return undefined;
  return `status ${status}, ${JSON.stringify(text.slice(0, 300))} instead of ${expected}`;
}

function makeCertificate(folder: string): void {
  const words =
    "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost";
  execFileSync("openssl", words.split(" "), { cwd: folder, stdio: "ignore" });
}
