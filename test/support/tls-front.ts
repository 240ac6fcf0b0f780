/**
 * Has the suites of both servers run over TLS: with TSGUN_TEST_TLS their connections go through a front with a TLS stage,
 * and their clients connect by TLS.
 */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createSecureContext } from "node:tls";
import { bindSocket } from "../../src/arbiter/sockets/open-socket.ts";
import { Front } from "../../src/server/front/front.ts";
import { TlsStage } from "../../src/server/front/tls-stage.ts";
import type { WorkerServer } from "../../src/server/server.ts";
import type { MakeFront } from "../../src/server/server-options.ts";
import { TestAuthority } from "./certificates.ts";

export const OVER_TLS = process.env.TSGUN_TEST_TLS !== undefined;

let files: { readonly cert: Buffer; readonly key: Buffer; readonly ca: string } | undefined;

function material(): NonNullable<typeof files> {
  if (files !== undefined) return files;
  const folder = mkdtempSync(join(tmpdir(), "tsgun-tls-"));
  const authority = new TestAuthority(folder);
  const { certificate, key } = authority.sign("server");
  files = { cert: readFileSync(certificate), key: readFileSync(key), ca: authority.pem };
  rmSync(folder, { recursive: true });
  return files;
}

export function tlsFront(): MakeFront {
  const { cert, key } = material();
  const stage = new TlsStage({
    context: { cert, key },
    contexts: [{ names: ["localhost"], value: createSecureContext({ cert, key }) }],
    protocols: ["http/1.1"],
    clientCertificates: "none",
    ticketKeys: Buffer.alloc(48, 1),
    sessionContext: "tests",
  });
  const options = { stages: [stage.stage], timeout: 30_000, onRefused: () => {}, onEvicted: () => {} };
  return (limiter) => new Front(options, limiter);
}

/** Options by which a client trusts the certificate. */
export function trusted(): { readonly ca: string } {
  return { ca: material().ca };
}

/** The certificate and its key, for servers of tests' own. */
export function identity(): { readonly cert: Buffer; readonly key: Buffer } {
  const { cert, key } = material();
  return { cert, key };
}

/** The scheme of requests and the URL of a WebSocket, with the options of its client. */
export const SCHEME = OVER_TLS ? "https" : "http";

export function webSocketTo(port: number): [url: string, options: { ca?: string }] {
  return OVER_TLS ? [`wss://localhost:${port}/`, { ca: material().ca }] : [`ws://127.0.0.1:${port}/`, {}];
}

/** The arguments with which the built command speaks TLS, if the suites run over it. */
export function tlsArguments(folder: string): readonly string[] {
  if (!OVER_TLS) return [];
  const { cert, key } = material();
  const [certificate, keyFile] = [join(folder, "site.pem"), join(folder, "site.key")];
  writeFileSync(certificate, cert);
  writeFileSync(keyFile, key, { mode: 0o600 });
  return ["--certfile", certificate, "--keyfile", keyFile];
}

/** Has a server listen as in a worker, behind the front of its options. Resolves with its port. */
export async function listenBehindFront(server: WorkerServer): Promise<number> {
  const { fd, port } = bindSocket({ host: "127.0.0.1", port: 0, ipv6Only: false, reusePort: false }, Error);
  await server.listen(fd);
  return port;
}

/** Connects to a server of this machine, by TLS if the suites run over it. */
export async function connectTo(where: number | { path: string }, allowHalfOpen = false): Promise<Socket> {
  const target = typeof where === "number" ? { port: where, host: "127.0.0.1" } : where;
  const raw = connectTcp({ ...target, allowHalfOpen });
  await once(raw, "connect");
  if (!OVER_TLS) return raw;
  const secure = connectTls({
    socket: raw,
    ca: material().ca,
    servername: "localhost",
    allowHalfOpen,
  } as object);
  await once(secure, "secureConnect");
  // Only a socket of TCP can reset its connection.
  secure.resetAndDestroy = () => {
    raw.resetAndDestroy();
    return secure;
  };
  return secure;
}
