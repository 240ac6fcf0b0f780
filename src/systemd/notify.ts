/**
 * Reports the service's state to systemd (sd_notify(3), `Type=notify` and `Type=notify-reload`). A failure to notify is
 * reported once and never stops the server.
 */
import { commandSender, libcSender, type Send } from "./datagram.ts";

const USEC_PER_MS = 1000;

export interface NotifierOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly pid?: number;
  /** Called once, with the reason, if systemd cannot be notified. */
  readonly onFailure?: (error: Error) => void;
  /** How datagrams are sent; the default tries libc, then the command. */
  readonly connect?: (path: string) => Promise<Send>;
}

async function connectWithFallback(path: string): Promise<Send> {
  // Leave vsock and future address types to the command.
  if (!path.startsWith("/") && !path.startsWith("@")) return commandSender(path);
  try {
    return await libcSender(path);
  } catch {
    return commandSender(path);
  }
}

/** The watchdog interval in microseconds; undefined if there is none for this process. */
function watchdogUsec(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: owner } = env;
  if (usec === undefined || !/^[1-9]\d*$/.test(usec)) return undefined;
  return owner === undefined || owner === String(pid) ? Number(usec) : undefined;
}

/** A status is one line: systemd would parse a second one as another variable. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, " ")}`;
}

export class ServiceNotifier {
  readonly #send: Promise<Send> | undefined;
  readonly #watchdogMs: number | undefined;
  #onFailure: ((error: Error) => void) | undefined;
  /** The latest message. Messages are sent in order: READY after RELOADING differs in meaning from READY before it. */
  #last: Promise<void> = Promise.resolve();
  #watchdogTimer: NodeJS.Timeout | undefined;

  /** Without NOTIFY_SOCKET (not under systemd) all methods do nothing and load nothing. */
  constructor(options: NotifierOptions = {}) {
    const { env = process.env, pid = process.pid, connect = connectWithFallback } = options;
    const path = env.NOTIFY_SOCKET;
    const usec = watchdogUsec(env, pid);
    this.#onFailure = options.onFailure;
    if (path === undefined || path === "") return;
    this.#send = connect(path);
    // The first message reports its rejection.
    this.#send.catch(() => undefined);
    this.#watchdogMs = usec === undefined ? undefined : usec / USEC_PER_MS;
  }

  /** Whether systemd listens. */
  get active(): boolean {
    return this.#send !== undefined;
  }

  /** Interval in milliseconds within which systemd expects a sign of life; undefined if it expects none. */
  get watchdogMs(): number | undefined {
    return this.#watchdogMs;
  }

  /** The service is ready, at boot and after every reload. */
  ready(status?: string): Promise<void> {
    return this.#notify("READY=1", ...(status === undefined ? [] : [statusLine(status)]));
  }

  /** A reload has begun. `Type=notify-reload` requires its start time by the monotonic clock. */
  reloading(status?: string): Promise<void> {
    const now = process.hrtime.bigint() / 1000n;
    return this.#notify(
      "RELOADING=1",
      `MONOTONIC_USEC=${now}`,
      ...(status === undefined ? [] : [statusLine(status)]),
    );
  }

  stopping(status?: string): Promise<void> {
    return this.#notify("STOPPING=1", ...(status === undefined ? [] : [statusLine(status)]));
  }

  /** Sets the text that `systemctl status` shows. */
  status(text: string): Promise<void> {
    return this.#notify(statusLine(text));
  }

  /** Names the new main process after a binary upgrade; sent by the old one. */
  mainPid(pid: number): Promise<void> {
    return this.#notify(`MAINPID=${pid}`);
  }

  /**
   * Sends a sign of life every half watchdog interval, as long as the event loop turns and `healthy` returns true. Does
   * nothing without a watchdog; does not keep the process alive.
   */
  startWatchdog(healthy: () => boolean = () => true): void {
    if (this.#watchdogMs === undefined || this.#watchdogTimer !== undefined) return;
    const keepAlive = (): void => {
      if (healthy()) this.#notify("WATCHDOG=1").catch(() => {});
    };
    keepAlive();
    this.#watchdogTimer = setInterval(keepAlive, Math.max(1, Math.floor(this.#watchdogMs / 2))).unref();
  }

  /** Stops the watchdog messages and waits for pending ones. */
  async close(): Promise<void> {
    clearInterval(this.#watchdogTimer);
    this.#watchdogTimer = undefined;
    await this.#last;
  }

  /** Resolves when the message is sent or has failed; never rejects. */
  #notify(...assignments: string[]): Promise<void> {
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
