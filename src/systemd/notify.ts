/**
 * Tells systemd how the service is (sd_notify(3), `Type=notify` and `Type=notify-reload`). Nothing here
 * fails the server: what cannot be told is reported once, and the server serves.
 */
import { commandSend, libcSend, type Send } from "./datagram.ts";

const USEC_PER_MS = 1000;

export interface NotifierOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly pid?: number;
  /** Called once, with the reason, when systemd cannot be told. */
  readonly onFailure?: (error: Error) => void;
  /** How datagrams are sent; the default tries libc, then the command. */
  readonly connect?: (path: string) => Promise<Send>;
}

async function connectAnyhow(path: string): Promise<Send> {
  // vsock and whatever else comes is the command's business.
  if (!path.startsWith("/") && !path.startsWith("@")) return commandSend(path);
  try {
    return await libcSend(path);
  } catch {
    return commandSend(path);
  }
}

/** Microseconds, or undefined where no watchdog is asked for, or it is asked of another process. */
function watchdogUsec(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: owner } = env;
  if (usec === undefined || !/^[1-9]\d*$/.test(usec)) return undefined;
  return owner === undefined || owner === String(pid) ? Number(usec) : undefined;
}

/** A status is one line: a second one would be read as another variable. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, " ")}`;
}

export class ServiceNotifier {
  readonly #send: Promise<Send> | undefined;
  readonly #watchdogMs: number | undefined;
  #onFailure: ((error: Error) => void) | undefined;
  /** Messages go out one after the other: READY after RELOADING means something else than before it. */
  #last: Promise<void> = Promise.resolve();
  #petting: NodeJS.Timeout | undefined;

  /** Without NOTIFY_SOCKET (not under systemd) every call does nothing, and nothing is loaded. */
  constructor(options: NotifierOptions = {}) {
    const { env = process.env, pid = process.pid, connect = connectAnyhow } = options;
    const path = env.NOTIFY_SOCKET;
    const usec = watchdogUsec(env, pid);
    this.#onFailure = options.onFailure;
    if (path === undefined || path === "") return;
    this.#send = connect(path);
    // Its rejection is told with the first message.
    this.#send.catch(() => undefined);
    this.#watchdogMs = usec === undefined ? undefined : usec / USEC_PER_MS;
  }

  /** Somebody listens. */
  get active(): boolean {
    return this.#send !== undefined;
  }

  /** Milliseconds in which systemd wants to hear of this process; undefined: it does not. */
  get watchdogMs(): number | undefined {
    return this.#watchdogMs;
  }

  /** Serving, at boot and after every reload. */
  ready(status?: string): Promise<void> {
    return this.#tell("READY=1", ...(status === undefined ? [] : [statusLine(status)]));
  }

  /** `Type=notify-reload` wants the time at which the reload began, by the monotonic clock. */
  reloading(status?: string): Promise<void> {
    const now = process.hrtime.bigint() / 1000n;
    return this.#tell(
      "RELOADING=1",
      `MONOTONIC_USEC=${now}`,
      ...(status === undefined ? [] : [statusLine(status)]),
    );
  }

  stopping(status?: string): Promise<void> {
    return this.#tell("STOPPING=1", ...(status === undefined ? [] : [statusLine(status)]));
  }

  /** What `systemctl status` shows. */
  status(text: string): Promise<void> {
    return this.#tell(statusLine(text));
  }

  /** Another process is the service now (binary upgrade); sent by the one that was. */
  mainPid(pid: number): Promise<void> {
    return this.#tell(`MAINPID=${pid}`);
  }

  /**
   * Tells systemd each half of its watchdog time that this process is alive, as long as its loop turns and
   * `healthy` says so. Does nothing where no watchdog is asked for; does not keep the process alive.
   */
  startWatchdog(healthy: () => boolean = () => true): void {
    if (this.#watchdogMs === undefined || this.#petting !== undefined) return;
    const pet = (): void => {
      if (healthy()) void this.#tell("WATCHDOG=1");
    };
    pet();
    this.#petting = setInterval(pet, Math.max(1, Math.floor(this.#watchdogMs / 2))).unref();
  }

  /** Stops the watchdog's messages and waits for what is on its way. */
  async close(): Promise<void> {
    clearInterval(this.#petting);
    this.#petting = undefined;
    await this.#last;
  }

  /** Resolves when the message is out or has failed; never rejects. */
  #tell(...assignments: string[]): Promise<void> {
    const { promise, sender } = { promise: this.#last, sender: this.#send };
    if (sender === undefined) return promise;
    this.#last = promise
      .then(async () => (await sender)(assignments.join("\n")))
      .catch((error: Error) => {
        this.#onFailure?.(error);
        this.#onFailure = undefined;
      });
    return this.#last;
  }
}
