/** Addresses of the workers' own sockets, one for each slot: `unix:run/app-{slot}.sock`, `127.0.0.1:9001-9016`. */
import { type Address, formatAddress, parseAddress } from "./address.ts";

export type WorkerAddresses =
  /** A path with `{slot}` in it. */
  | { readonly kind: "unix"; readonly path: string }
  /** The worker in slot 1 has the port `first`. */
  | { readonly kind: "tcp"; readonly host: string; readonly first: number; readonly last: number };

const SLOT = "{slot}";
const EXAMPLES = `unix:/run/app-${SLOT}.sock or 127.0.0.1:9001-9016`;

/** @throws Error with the reason, without the name of the setting */
export function parseWorkerAddresses(text: string): WorkerAddresses {
  const [, start, end] = /^((?:.*:)?\d+)-(\d+)$/s.exec(text) ?? [];
  if (start !== undefined && end !== undefined && !text.startsWith("unix:"))
    return portRange(start, end, text);
  const address = parseAddress(text);
  if (address.kind === "tcp")
    throw new Error(`"${text}" is one address, and each worker needs its own: write ${EXAMPLES}`);
  if (!address.path.includes(SLOT))
    throw new Error(`"${text}" has no ${SLOT}, and each worker needs a path of its own: write ${EXAMPLES}`);
  return { kind: "unix", path: address.path };
}

function portRange(start: string, end: string, text: string): WorkerAddresses {
  const address = parseAddress(start);
  const last = Number(end);
  if (address.kind !== "tcp" || address.port === 0) throw new Error(`"${text}" is no range of ports`);
  if (last > 65535) throw new Error(`"${text}": a port is at most 65535`);
  if (last < address.port) throw new Error(`"${text}": the last port is below the first`);
  return { kind: "tcp", host: address.host, first: address.port, last };
}

export function formatWorkerAddresses(addresses: WorkerAddresses): string {
  if (addresses.kind === "unix") return formatAddress(addresses);
  return `${formatAddress({ kind: "tcp", host: addresses.host, port: addresses.first })}-${addresses.last}`;
}

/** The address of a slot; a range must have it, see `workerLimit`. */
export function workerAddress(addresses: WorkerAddresses, slot: number): Address {
  if (addresses.kind === "unix") return { kind: "unix", path: addresses.path.replaceAll(SLOT, String(slot)) };
  return { kind: "tcp", host: addresses.host, port: addresses.first + slot - 1 };
}

/** How many workers there are addresses for: as many as a range has ports. */
export function workerLimit(addresses: WorkerAddresses | undefined): number {
  return addresses?.kind === "tcp" ? addresses.last - addresses.first + 1 : Number.POSITIVE_INFINITY;
}

/** Why there cannot be as many workers; undefined if there can. */
export function tooManyWorkers(addresses: WorkerAddresses | undefined, workers: number): string | undefined {
  const most = workerLimit(addresses);
  if (addresses === undefined || workers <= most) return undefined;
  return `worker-bind ${formatWorkerAddresses(addresses)} has ports for ${most === 1 ? "1 worker" : `${most} workers`}, not for ${workers}`;
}
