/**
 * Detects clients that are gone when the event loop cannot. libuv does not poll a descriptor after the client's FIN or
 * while it is paused, and a FIN alone does not show whether the client still reads: one that has only shut down its
 * sending side must get its response.
 *
 * - An empty write fails on a broken connection: a Unix socket whose other end is closed, or a TCP connection that was
 *   reset.
 * - A TCP client that has closed its socket answers any data with a reset. Most responses allow bytes that have no
 *   effect on a client that still reads: `WatchedPeer.probe`.
 * - For the others, the kernel's socket tables show whether the other end is closed, if it is on this machine. Another
 *   machine forgets the connection after its FIN_WAIT2 timeout (Linux: 60 s) and resets it at the next keep-alive
 *   probe.
 */
import { writeSync } from "node:fs";
import { type Addresses, withClosedPeers } from "../system/closed-peers.ts";

/** The part of a peer's socket or channel that is used here. */
export interface PeerSocket extends Addresses {
  setKeepAlive(on: boolean, milliseconds: number): void;
  destroy(): void;
}

/** A connection with a response in progress, or handed over to an app. */
export interface WatchedPeer {
  readonly socket: PeerSocket;
  /** The number of its file descriptor; -1 if it has none. */
  readonly descriptor: number;
  /** True while the socket is not read although the connection is in use: a disconnect goes unnoticed. */
  readonly isReadPaused: boolean;
  /**
   * True if the connection is handed over and the app may still read what the client sent before it went, or has closed
   * its own side, after which an empty write fails too. Such a connection is not destroyed, or that input would be
   * lost.
   */
  readonly hasUnreadInput: boolean;
  /** Sends bytes that have no effect on a client that still reads. False, or absent, if there are none. */
  probe?(): boolean;
}

/** From the client's FIN to the first probe. Each following interval is twice as long. */
const FIRST_PROBE_MS = 500;
const MAX_PROBE_INTERVAL_MS = 15_000;
/** The first probe finds most clients, and parsers limit the leading zeros of a chunk size. */
const MAX_PROBES = 3;
/** Interval of the kernel's keep-alive probes after the client's FIN. */
const KEEP_ALIVE_MS = 15_000;
const PAUSED_CHECK_MS = 3000;

interface ProbeState {
  nextProbeAt: number;
  intervalMs: number;
  probes: number;
}

/** Error codes of an empty write that do not mean a broken connection. */
const HARMLESS_CODES = new Set(["EAGAIN", "EINTR", "EBADF"]);
const NO_BYTES = new Uint8Array(0);

/** Whether the connection can no longer be written to. One system call, which sends nothing. */
export function isBroken(descriptor: number): boolean {
  if (descriptor < 0) return false;
  try {
    writeSync(descriptor, NO_BYTES);
    return false;
  } catch (error) {
    return !HARMLESS_CODES.has((error as NodeJS.ErrnoException).code ?? "");
  }
}

export class PeerWatch {
  /** Peers whose client has sent a FIN. Usually empty. */
  readonly #ended = new Map<WatchedPeer, ProbeState>();
  /** Peers that were paused at the last check. */
  #paused = new Set<WatchedPeer>();
  #pausedCheckedAt = 0;
  #isReadingTables = false;

  /** The client has sent a FIN before its response: checks whether it is gone, until `forget`. */
  peerEnded(peer: WatchedPeer, now: number): void {
    const { socket } = peer;
    if (!peer.hasUnreadInput && isBroken(peer.descriptor)) {
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#ended.set(peer, { nextProbeAt: now + FIRST_PROBE_MS, intervalMs: FIRST_PROBE_MS, probes: 0 });
  }

  forget(peer: WatchedPeer): void {
    this.#ended.delete(peer);
  }

  /**
   * Destroys the sockets of clients that are gone after their FIN. Call at least once a second; `now` is in
   * milliseconds.
   */
  checkEnded(now: number): void {
    const unsure: PeerSocket[] = [];
    for (const [peer, state] of this.#ended) {
      if (peer.hasUnreadInput) continue;
      if (isBroken(peer.descriptor)) peer.socket.destroy();
      else if (state.nextProbeAt <= now && !sendProbe(peer, state, now)) unsure.push(peer.socket);
    }
    if (unsure.length > 0) this.#destroyClosed(unsure);
  }

  /**
   * Does the same every few seconds for peers that are not read.
   * @param peers all peers
   */
  checkPaused(now: number, peers: Iterable<WatchedPeer>): void {
    if (now < this.#pausedCheckedAt + PAUSED_CHECK_MS) return;
    this.#pausedCheckedAt = now;
    const before = this.#paused;
    this.#paused = new Set();
    const unsure: PeerSocket[] = [];
    for (const peer of peers) {
      if (!peer.isReadPaused || peer.hasUnreadInput) continue;
      this.#paused.add(peer);
      if (isBroken(peer.descriptor)) peer.socket.destroy();
      else if (before.has(peer)) unsure.push(peer.socket);
    }
    if (unsure.length > 0) this.#destroyClosed(unsure);
  }

  #destroyClosed(unsure: PeerSocket[]): void {
    if (this.#isReadingTables) return;
    this.#isReadingTables = true;
    const done = (closed: readonly PeerSocket[]): void => {
      this.#isReadingTables = false;
      for (const socket of closed) socket.destroy();
    };
    withClosedPeers(unsure).then(done, () => done([]));
  }
}

/** Sends the next probe and schedules another. Returns false if none could be sent. */
function sendProbe(peer: WatchedPeer, state: ProbeState, now: number): boolean {
  state.intervalMs = Math.min(MAX_PROBE_INTERVAL_MS, state.intervalMs * 2);
  state.nextProbeAt = now + state.intervalMs;
  if (state.probes === MAX_PROBES || peer.probe?.() !== true) return false;
  state.probes += 1;
  return true;
}
