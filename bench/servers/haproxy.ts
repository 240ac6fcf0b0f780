/** The HAProxy that stands in front of another server and passes on connections, with a PROXY header or without. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireProgram } from "../lib/programs.ts";
import type { Address } from "../lib/running.ts";

/** Its command. */
export function haproxyBefore(
  server: Address,
  port: number,
  folder: string,
  sendsHeader: boolean,
): [string, ...string[]] {
  const file = join(folder, "haproxy.cfg");
  const address = typeof server === "number" ? `127.0.0.1:${server}` : `unix@${server}`;
  writeFileSync(
    file,
    `global
  maxconn 2000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen app
  bind 127.0.0.1:${port}
  server app ${address}${sendsHeader ? " send-proxy-v2" : ""}
`,
  );
  return [requireProgram("haproxy", "apt-get install haproxy"), "-db", "-f", file];
}
