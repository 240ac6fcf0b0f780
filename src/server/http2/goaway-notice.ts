/**
 * The first of the two GOAWAYs with which a session ends (RFC 9113 section 6.8): it says that the end is near, and allows
 * everything. It does not come from node:http2, which would take it for the last one, and would read nothing any more as
 * soon as no stream is open: requests that follow it would get no answer.
 */
import { type FrameWalker, goawayFrame } from "./frame-walker.ts";

const LAST_POSSIBLE_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

export class GoawayNotice {
  readonly #sent: FrameWalker;
  #isDue = false;
  #onSaid: (() => void) | undefined;

  /** @param sent follows the frames that are sent */
  constructor(sent: FrameWalker) {
    this.#sent = sent;
  }

  /**
   * Asks for it. Returns what is to be sent now.
   * @param onSaid called in a later turn than that in which it is sent
   */
  say(onSaid?: () => void): Uint8Array | undefined {
    this.#isDue = true;
    this.#onSaid = onSaid;
    return this.take();
  }

  /** Call it when something has been sent. Returns what is to be sent behind it. */
  take(): Uint8Array | undefined {
    // The first frame of a server is SETTINGS.
    if (!this.#isDue || !this.#sent.hasBegun || !this.#sent.betweenFrames) return undefined;
    this.#isDue = false;
    if (this.#onSaid !== undefined) setImmediate(this.#onSaid);
    return goawayFrame(LAST_POSSIBLE_STREAM, NO_ERROR);
  }
}
