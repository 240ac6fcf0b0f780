/**
 * The terminal of a session: raw mode and the alternate screen, and what it was before on every way out. A write never
 * blocks the process, so that one whose terminal takes nothing any more still ends by a signal.
 */
import type { ReadStream, WriteStream } from "node:tty";
import { decodeKeys, type Key } from "./keys.ts";
import type { Size } from "./state.ts";

/** Alternate screen, no cursor, no wrapping at the right edge, marks around what is pasted (xterm, DEC private modes). */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h";
const LEAVE = "\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";

/** Milliseconds after which an ESC is the key, not the beginning of a sequence; a slow line delays the rest. */
const ESCAPE_TIME = 100;
/** Milliseconds that a stop by SIGTSTP takes at most; a process group without a shell is not stopped at all. */
const STOP_TIME = 50;

const FATAL_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export interface TerminalUser {
  key(key: Key): void;
  resized(): void;
  /** Everything has been written: the next frame may come. */
  drained(): void;
  /** Nothing is on the screen any more. */
  cleared(): void;
  /** It takes no more input, or a signal ends the process. */
  ended(signal: NodeJS.Signals | undefined): void;
}

/** A handle of Node's, which alone can say that writes shall not block. */
interface WithHandle {
  readonly _handle?: { setBlocking?(isBlocking: boolean): unknown };
}

export class Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #user: TerminalUser;
  #isEntered = false;
  #rest = "";
  #escape: NodeJS.Timeout | undefined;
  readonly #restore = (): void => this.#leave();

  constructor(input: ReadStream, output: WriteStream, user: TerminalUser) {
    this.#input = input;
    this.#output = output;
    this.#user = user;
  }

  get size(): Size {
    // A terminal that does not know its size reports 0.
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  /** Whether everything has been written: only then is a new frame worth anything. */
  get isDrained(): boolean {
    return this.#output.writableLength === 0;
  }

  open(): void {
    (this.#output as WithHandle)._handle?.setBlocking?.(false);
    process.on("exit", this.#restore);
    for (const signal of FATAL_SIGNALS) process.on(signal, this.#ended);
    process.on("SIGTSTP", this.#stop);
    process.on("SIGCONT", this.#continued);
    this.#output.on("resize", () => this.#user.resized());
    this.#output.on("drain", () => this.#user.drained());
    this.#output.on("error", () => this.#user.ended(undefined));
    this.#input.on("error", () => this.#user.ended(undefined));
    this.#input.on("end", () => this.#user.ended(undefined));
    this.#input.setEncoding("utf8").on("data", (text: string) => this.#received(text));
    this.#enter();
  }

  /** Restores the terminal and lets go of it. */
  close(): void {
    this.#leave();
    clearTimeout(this.#escape);
    process.off("exit", this.#restore);
    for (const signal of FATAL_SIGNALS) process.off(signal, this.#ended);
    process.off("SIGTSTP", this.#stop);
    process.off("SIGCONT", this.#continued);
    this.#input.destroy();
  }

  write(text: string): void {
    if (this.#isEntered && text !== "") this.#output.write(text);
  }

  /** Stops the process group as Ctrl-Z does in other programs; comes back with `fg`. */
  suspend(): void {
    this.#stopBy(0);
  }

  readonly #ended = (signal: NodeJS.Signals): void => this.#user.ended(signal);

  readonly #stop = (): void => this.#stopBy(process.pid);

  readonly #continued = (): void => {
    // The shell may have changed the modes of the terminal meanwhile, and what it shows.
    if (this.#isEntered) this.#leave();
    process.off("SIGTSTP", this.#stop).on("SIGTSTP", this.#stop);
    this.#enter();
    this.#user.cleared();
  };

  /** @param target a process id, or 0 for the process group */
  #stopBy(target: number): void {
    this.#leave();
    // Without a listener the signal does what it always does, in a group that no shell controls nothing.
    process.off("SIGTSTP", this.#stop);
    process.kill(target, "SIGTSTP");
    setTimeout(() => {
      if (!this.#isEntered) this.#continued();
    }, STOP_TIME);
  }

  #enter(): void {
    this.#isEntered = true;
    this.#input.setRawMode(true);
    this.#output.write(ENTER);
  }

  #leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    try {
      // Where the terminal takes nothing, a change of its mode would wait for that. Node restores it at its exit.
      if (this.isDrained) {
        this.#output.write(LEAVE);
        this.#input.setRawMode(false);
      }
    } catch {
      // It has gone.
    }
  }

  #received(text: string): void {
    clearTimeout(this.#escape);
    this.#decode(this.#rest + text, false);
    if (this.#rest !== "") this.#escape = setTimeout(() => this.#decode(this.#rest, true), ESCAPE_TIME);
  }

  #decode(text: string, isComplete: boolean): void {
    const { keys, rest } = decodeKeys(text, isComplete);
    this.#rest = rest;
    for (const key of keys) this.#user.key(key);
  }
}
