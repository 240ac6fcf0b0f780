/** An example as its users run it: by tsgun behind nginx, and by plain node, which is what it is compared with. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type RunningCommand, startCommand, temporaryFolder, until } from "./command.ts";
import { freePort } from "./free-port.ts";
import { type Nginx, startNginx } from "./nginx.ts";

const COMPILER = import.meta.resolve("@oxc-node/core/register");

export interface Example {
  /** The folder it is in. */
  readonly folder: string;
  /** The app that tsgun loads. */
  readonly app: string;
  /** The file that plain node runs; it listens on `PORT`. */
  readonly server: string;
}

/** An example of this repository that needs nothing but what the repository installs. */
export function exampleOf(name: string, app = "app.ts"): Example {
  return {
    folder: join(import.meta.dirname, "..", "..", "examples", name),
    app,
    server: "server.ts",
  };
}

export interface Site {
  readonly server: RunningCommand;
  readonly nginx: Nginx;
  /** Where nginx is. */
  readonly url: string;
  /** Where tsgun itself is: the path of its Unix socket, and a port. */
  readonly socket: string;
  readonly port: number;
}

const ENVIRONMENT = { NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };

/** Two workers on a Unix socket, nginx in front; what nginx buffers is passed on as it comes below `/unbuffered/`. */
export async function serveExample(test: TestContext, example: Example): Promise<Site> {
  const folder = temporaryFolder(test);
  const socket = join(folder, "app.sock");
  const binds = ["--bind", `unix:${socket}`, "--bind", "127.0.0.1:0"];
  const server = startCommand(test, [example.app, "--workers", "2", ...binds], {
    cwd: example.folder,
    env: ENVIRONMENT,
  });
  await server.ready();
  const nginx = await startNginx(test, folder, {
    upstream: `server unix:${socket}; keepalive 32;`,
    server: `
      client_max_body_size 60m;
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      location / {
        proxy_pass http://app;
      }
      location /unbuffered/ {
        proxy_pass http://app/;
        proxy_request_buffering off;
        proxy_buffering off;
      }
    `,
  });
  return { server, nginx, socket, url: `http://127.0.0.1:${nginx.port}`, port: await server.port() };
}

/** Runs the example without tsgun and returns its port. It ends with the test. */
export async function serveByNode(test: TestContext, example: Example): Promise<number> {
  const port = await freePort();
  const child = spawn(process.execPath, ["--import", COMPILER, example.server], {
    cwd: example.folder,
    env: { ...process.env, ...ENVIRONMENT, PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const exited = once(child, "exit");
  test.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  await until(`${example.server} listens`, async () => {
    if (child.exitCode !== null) assert.fail(`it ended with code ${child.exitCode}:\n${said}`);
    const probe = connect(port, "127.0.0.1");
    try {
      await once(probe, "connect");
      return true;
    } finally {
      probe.destroy();
    }
  });
  return port;
}
