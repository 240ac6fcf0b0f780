/**
 * Finds the clients that are gone where the event loop does not hear of it. libuv polls a descriptor neither behind the
 * client's end (FIN) nor while it is paused, and an end alone does not say whether the client still reads: one that has
 * only shut down its sending side is to get its answer.
 *
 * - Sending nothing at all fails where the connection is broken: a Unix socket whose other end is closed, a TCP
 *   connection that has been reset.
 * - A TCP client that has closed its socket answers with a reset to whatever it is sent. HTTP has something that a client
 *   which still reads takes no notice of, in most answers: `WatchedPeer.probe`.
 * - Where it has not, the system tells whether the other end on this machine is closed. One on another machine forgets
 *   the connection after its time in FIN_WAIT2 (Linux: 60 s) and then resets it at the next keep-alive probe.
 */
import { writeSync } from "node:fs";
import type { Socket } from "node:net";
import { withClosedPeers } from "../system/closed-peers.ts";
import { descriptorOf } from "./descriptor-budget.ts";

/** A connection that owes its client something, or that an app has taken over. */
export interface WatchedPeer {
  readonly socket: Socket;
  /** Not read from, with an exchange under way or in the hands of an app: what the client does is not seen. */
  readonly isReadPaused: boolean;
  /**
   * An app has taken it over and may still read what the client has sent, or has ended its own side, behind which sending
   * nothing fails as well. What the client sent before it went must not be lost.
   */
  readonly hasUnreadInput: boolean;
  /** Sends what a client that still reads takes no notice of; false, or absent, where nothing can be sent now. */
  probe?(): boolean;
}

/** How long behind the client's end it is first probed, in milliseconds; each time that follows takes twice as long. */
const FIRST_PROBE = 500;
const LONGEST_WAIT = 15_000;
/** Most clients are found by the first one; a chunk size may not have any number of zeros. */
const MOST_PROBES = 3;
/** The kernel's own probes of a connection behind its client's end, in milliseconds. */
const KEEP_ALIVE = 15_000;
/** How often paused connections are looked at, in milliseconds. */
const PAUSED_EVERY = 3000;

interface Suspicion {
  probeAt: number;
  wait: number;
  probes: number;
}

/** Codes of a write that failed for other reasons than the connection's. */
const NOT_BROKEN = new Set(["EAGAIN", "EINTR", "EBADF"]);
const NOTHING = new Uint8Array(0);

/** True when nothing can be sent on the connection any more. One system call; sends nothing. */
export function isBroken(socket: Socket): boolean {
  const fd = descriptorOf(socket);
  if (fd < 0) return false;
  try {
    writeSync(fd, NOTHING);
    return false;
  } catch (error) {
    return !NOT_BROKEN.has((error as NodeJS.ErrnoException).code ?? "");
  }
}

export class PeerWatch {
  /** Whose clients have ended their side. Hardly ever any. */
  readonly #ended = new Map<WatchedPeer, Suspicion>();
  /** Those that were paused at the last look. */
  #paused = new Set<WatchedPeer>();
  #pausedAt = 0;
  #asking = false;

  /** The client has ended its side and is owed something: it is found out whether it is gone, until `forget`. */
  peerEnded(peer: WatchedPeer, now: number): void {
    const { socket } = peer;
    if (!peer.hasUnreadInput && isBroken(socket)) {
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, KEEP_ALIVE);
    this.#ended.set(peer, { probeAt: now + FIRST_PROBE, wait: FIRST_PROBE, probes: 0 });
  }

  forget(peer: WatchedPeer): void {
    this.#ended.delete(peer);
  }

  /** Destroys the sockets of clients that are gone. Call at least once a second; `now` is in milliseconds. */
  checkEnded(now: number): void {
    const unsure: Socket[] = [];
    for (const [peer, suspicion] of this.#ended) {
      if (peer.hasUnreadInput) continue;
      if (isBroken(peer.socket)) peer.socket.destroy();
      else if (suspicion.probeAt <= now && !probed(peer, suspicion, now)) unsure.push(peer.socket);
    }
    if (unsure.length > 0) void this.#ask(unsure);
  }

  /**
   * The same, every few seconds, for those that are not read from.
   * @param peers all there are
   */
  checkPaused(now: number, peers: Iterable<WatchedPeer>): void {
    if (now < this.#pausedAt + PAUSED_EVERY) return;
    this.#pausedAt = now;
    const before = this.#paused;
    this.#paused = new Set();
    const unsure: Socket[] = [];
    for (const peer of peers) {
      if (!peer.isReadPaused || peer.hasUnreadInput) continue;
      this.#paused.add(peer);
      if (isBroken(peer.socket)) peer.socket.destroy();
      else if (before.has(peer)) unsure.push(peer.socket);
    }
    if (unsure.length > 0) void this.#ask(unsure);
  }

  async #ask(unsure: Socket[]): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const socket of await withClosedPeers(unsure)) socket.destroy();
    } finally {
      this.#asking = false;
    }
  }
}

/** Takes the next step with a suspect; false when nothing could be sent. */
function probed(peer: WatchedPeer, suspicion: Suspicion, now: number): boolean {
  suspicion.wait = Math.min(LONGEST_WAIT, suspicion.wait * 2);
  suspicion.probeAt = now + suspicion.wait;
  if (suspicion.probes === MOST_PROBES || peer.probe?.() !== true) return false;
  suspicion.probes += 1;
  return true;
}
