/**
 * Has the suites of both servers run over TLS: with TSGUN_TEST_TLS their connections go through a front with a TLS stage,
 * and their clients connect by TLS.
 */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createSecureContext } from "node:tls";
import { Front } from "../../src/server/front/front.ts";
import { TlsStage } from "../../src/server/front/tls-stage.ts";
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

/** The scheme of requests and the URL of a WebSocket, with the options of its client. */
export const SCHEME = OVER_TLS ? "https" : "http";

export function webSocketTo(port: number): [url: string, options: { ca?: string }] {
  return OVER_TLS ? [`wss://localhost:${port}/`, { ca: material().ca }] : [`ws://127.0.0.1:${port}/`, {}];
}

/** Connects to a server of this machine, by TLS if the suites run over it. */
export async function connectTo(port: number, allowHalfOpen = false): Promise<Socket> {
  const tcp = connectTcp({ port, host: "127.0.0.1", allowHalfOpen });
  await once(tcp, "connect");
  if (!OVER_TLS) return tcp;
  const secure = connectTls({
    socket: tcp,
    ca: material().ca,
    servername: "localhost",
    allowHalfOpen,
  } as object);
  await once(secure, "secureConnect");
  // Only a socket of TCP can reset its connection.
  secure.resetAndDestroy = () => {
    tcp.resetAndDestroy();
    return secure;
  };
  return secure;
}
