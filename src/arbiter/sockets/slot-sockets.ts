/**
 * The workers' own sockets (`--worker-bind`): one for each slot, beside the shared ones. This process holds it, so that it
 * stays open while one worker of the slot replaces another. It is bound before the slot's first worker starts, and released
 * when the slot is no longer wanted, so that a proxy which keeps a client there learns that it must choose anew.
 */
import { formatAddress } from "../../config/address.ts";
import { tooManyWorkers, type WorkerAddresses, workerAddress } from "../../config/worker-addresses.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { type Desired, slotCount } from "../pool/desired.ts";
import { activeWorkers, type Roster } from "../pool/roster.ts";
import type { Listener } from "./bind.ts";
import type { Listeners } from "./listeners.ts";
import type { SocketSource } from "./socket-source.ts";

export interface SlotSocketDependencies {
  /** Undefined: workers have no sockets of their own. */
  readonly addresses: WorkerAddresses | undefined;
  readonly listeners: Pick<Listeners, "listeners" | "isShared" | "ofSlot" | "add" | "remove">;
  readonly source: Pick<SocketSource, "bindForSlot">;
}

export class SlotSockets {
  readonly #dependencies: SlotSocketDependencies;
  /** The sockets that are being bound, by slot. */
  readonly #pending = new Map<number, Promise<void>>();

  constructor(dependencies: SlotSocketDependencies) {
    this.#dependencies = dependencies;
  }

  /** @throws FatalError (usage) if there are fewer addresses than workers */
  check(workers: number): void {
    const why = tooManyWorkers(this.#dependencies.addresses, workers);
    if (why !== undefined) throw new FatalError(`${why}: use a larger range`, ExitCode.usage);
  }

  /**
   * Binds the sockets of the first slots, before any worker starts.
   * @throws FatalError when one cannot be bound
   */
  async open(workers: number): Promise<void> {
    for (let slot = 1; slot <= workers; slot++) await this.prepare(slot);
  }

  /**
   * Binds a slot's socket unless it is bound. Await the result before starting a worker in the slot; undefined if there is
   * nothing to wait for. Rejects with a FatalError when it cannot be bound.
   */
  prepare(slot: number): Promise<void> | undefined {
    const address = this.#addressOf(slot);
    const isBound = this.#dependencies.listeners.ofSlot(slot).some((one) => one.address === address);
    if (address === undefined || isBound) return undefined;
    const pending = this.#pending.get(slot) ?? this.#bind(slot, address);
    this.#pending.set(slot, pending);
    return pending;
  }

  /** The address of a worker of the slot, for messages. */
  urlOf(slot: number): string | undefined {
    const address = this.#addressOf(slot);
    return this.#dependencies.listeners.ofSlot(slot).find((one) => one.address === address)?.url;
  }

  /** Releases the sockets of slots that no worker serves or will serve. Call whenever the pool has settled. */
  review(desired: Desired, roster: Roster): void {
    const { listeners } = this.#dependencies;
    // The workers of the other arbiter may still accept on them, and only one of the two may remove the file.
    if (listeners.isShared || !listeners.listeners.some(({ slot }) => slot !== undefined)) return;
    const last = slotCount(desired);
    const served = new Set(activeWorkers(roster).map(({ slot }) => slot));
    listeners.remove((listener: Listener) => {
      const { slot = 0 } = listener;
      return (slot > last && !served.has(slot)) || !this.isWanted(listener);
    });
  }

  /** False for a socket that the predecessor handed over, if the address of its slot has changed. */
  isWanted({ slot, address }: Listener): boolean {
    return slot === undefined || address === this.#addressOf(slot);
  }

  #addressOf(slot: number): string | undefined {
    const { addresses } = this.#dependencies;
    return addresses && formatAddress(workerAddress(addresses, slot));
  }

  async #bind(slot: number, address: string): Promise<void> {
    const { addresses, listeners, source } = this.#dependencies;
    if (addresses === undefined) return;
    try {
      const bound = await source.bindForSlot(workerAddress(addresses, slot), listeners.listeners);
      listeners.add({ ...bound, slot, address });
    } finally {
      this.#pending.delete(slot);
    }
  }
}
