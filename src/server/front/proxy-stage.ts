/**
 * The first stage of a front: the PROXY header. A peer that is allowed to send one must; any other is its own client, and
 * what it sends is never read as a header. Whether there is one is not guessed (section 2 of the specification): a balancer
 * that forgot it would be taken for the client, and a client that may leave it out may also forge it.
 */
import type { Socket } from "node:net";
import { ConnectionEndpoints } from "../../exchange/endpoint.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import type { ConnectionFacts } from "./facts.ts";
import type { Stage } from "./front.ts";
import { type AcceptedVersions, type ProxyHeader, readProxyHeader } from "./proxy-header.ts";
import { ClientLeft, Refusal } from "./refusal.ts";

export interface ProxyStageOptions {
  readonly versions: AcceptedVersions;
  /** The peers that send headers. */
  readonly rules: Pick<ProxyRules, "trusts">;
}

export function proxyStage({ versions, rules }: ProxyStageOptions): Stage {
  return async (socket: Socket, facts: ConnectionFacts) => {
    const { peer: balancer } = new ConnectionEndpoints(socket, facts);
    // Without an address it cannot be told whether it is allowed; it has closed.
    if (balancer.family !== "unix" && balancer.address === "") throw new ClientLeft();
    if (!rules.trusts(balancer)) return socket;
    const header = await readHeader(socket, versions).catch((error: Error) => {
      if (error instanceof ClientLeft) throw error;
      const from = balancer.family === "unix" ? "a Unix socket" : balancer.address;
      throw new Refusal("proxy_header", `the connection from ${from} ${error.message}`);
    });
    // A check of whether the port is open, with a header.
    if (socket.readableEnded) throw new ClientLeft();
    const { version, peer, local, tlvs, tls } = header;
    facts.proxy = { version, balancer, tlvs, tls };
    if (peer !== undefined) facts.peer = peer;
    if (local !== undefined) facts.local = local;
    return socket;
  };
}

/**
 * Reads the header, and puts back what has come behind it.
 * @throws ProxyHeaderError, ClientLeft
 */
function readHeader(socket: Socket, versions: AcceptedVersions): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    let held: Buffer | undefined;
    const settle = (settled: () => void): void => {
      socket.off("readable", onReadable).off("end", onEnd).off("close", onClose);
      settled();
    };
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      held = held === undefined ? bytes : Buffer.concat([held, bytes]);
      try {
        const header = readProxyHeader(held, versions);
        if (header === undefined) return;
        if (held.length > header.length) socket.unshift(held.subarray(header.length));
        settle(() => resolve(header));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onEnd = (): void =>
      settle(() =>
        reject(held === undefined ? new ClientLeft() : new Error("ended within its PROXY header")),
      );
    const onClose = (): void => settle(() => reject(new ClientLeft()));
    socket.on("readable", onReadable).on("end", onEnd).on("close", onClose);
  });
}
