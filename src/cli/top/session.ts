/** A session in a terminal: asks the servers, passes keys and answers to the state, and shows it. */
import type { ReadStream, WriteStream } from "node:tty";
import { ExitCode } from "../../errors.ts";
import { Commands } from "./commands.ts";
import { askHistory, askStats, findAgain, listServers } from "./feed.ts";
import { renderFrame } from "./frame.ts";
import { askPanel, isLive } from "./panel-feed.ts";
import { Screen } from "./screen.ts";
import { type Effect, initialState, type TopState, type WatchedServer, watch } from "./state.ts";
import { paletteOf } from "./style.ts";
import { Terminal } from "./terminal.ts";
import { type TopEvent, update } from "./update.ts";

export interface SessionOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly environment: NodeJS.ProcessEnv;
  /** In milliseconds. */
  readonly interval: number;
  /** The server to watch; without one they are listed. */
  readonly server: Pick<WatchedServer, "pid" | "name" | "folder" | "controlSocket"> | undefined;
  /** The pid of the server to select in the list. */
  readonly selected: number | undefined;
  /** Whether the server's control socket was named, so that no other one is looked for. */
  readonly isSocketNamed: boolean;
}

/** Ages on the screen count seconds, however long the interval is. */
const TICK = 1000;

/** Runs until the user quits, and returns the exit code; a signal ends the process as it ends others. */
export async function runSession(options: SessionOptions): Promise<ExitCode> {
  const session = new Session(options);
  const signal = await session.run();
  if (signal !== undefined) process.kill(process.pid, signal);
  return ExitCode.ok;
}

class Session {
  readonly #options: SessionOptions;
  readonly #terminal: Terminal;
  readonly #screen: Screen;
  #state: TopState;
  /** Questions that servers have not answered yet: none is asked twice at a time. */
  readonly #asked = new Set<string>();
  readonly #commands = new Commands();
  #isOver = false;
  #end: (signal: NodeJS.Signals | undefined) => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(options: SessionOptions) {
    const { input, output, environment, interval, server, selected } = options;
    this.#options = options;
    this.#terminal = new Terminal(input, output, {
      key: (key) => this.#happened({ type: "key", key }),
      resized: () => this.#happened({ type: "resize", size: this.#terminal.size }),
      drained: () => this.#draw(),
      cleared: () => {
        this.#screen.forget();
        this.#draw();
      },
      ended: (signal) => this.#end(signal),
    });
    this.#screen = new Screen(paletteOf(environment, true));
    const now = Date.now();
    const state = initialState(this.#terminal.size, interval, now);
    this.#state = {
      ...state,
      server: server && watch(server, now),
      list: { servers: undefined, selected },
    };
  }

  /** Resolves with the signal that ends the process, or undefined when the user has quit. */
  async run(): Promise<NodeJS.Signals | undefined> {
    const over = new Promise<NodeJS.Signals | undefined>((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    const timers = [
      setInterval(() => this.#refresh(), this.#options.interval),
      setInterval(() => this.#happened({ type: "tick", now: Date.now() }), TICK),
    ];
    try {
      this.#terminal.open();
      this.#begin();
      return await over;
    } finally {
      this.#isOver = true;
      for (const timer of timers) clearInterval(timer);
      this.#terminal.close();
      this.#commands.abandon();
    }
  }

  #happened(event: TopEvent): void {
    if (this.#isOver) return;
    const { state, effects } = update(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#take(effect);
    this.#draw();
  }

  #draw(): void {
    if (!this.#terminal.isDrained) return;
    this.#terminal.write(this.#screen.change(renderFrame(this.#state), this.#state.size));
  }

  #take(effect: Effect): void {
    switch (effect.type) {
      case "quit":
        this.#end(undefined);
        break;
      case "suspend":
        this.#terminal.suspend();
        break;
      case "redraw":
        this.#screen.forget();
        break;
      case "refresh":
        this.#begin();
        break;
      case "command":
        this.#once(`command ${effect.id}`, async () => {
          const outcome = await this.#commands.perform(effect.controlSocket, effect.command);
          return { type: "outcome", id: effect.id, ...outcome };
        });
        break;
    }
  }

  /** Asks at once what the screen shows, and the history of a server that is new on it. */
  #begin(): void {
    const { server, panel } = this.#state;
    if (server !== undefined && server.stats === undefined) this.#askHistory(server);
    if (server !== undefined && panel !== undefined && panel.kind !== "help") this.#askPanel(server);
    this.#refresh();
  }

  #refresh(): void {
    const { server, panel } = this.#state;
    this.#happened({ type: "tick", now: Date.now() });
    if (server === undefined) this.#askList();
    else this.#askStats(server);
    if (server !== undefined && panel !== undefined && isLive(panel)) this.#askPanel(server);
  }

  /** Asks a question unless it is being asked, and passes the answer on. */
  #once(name: string, ask: () => Promise<TopEvent | undefined>): void {
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    ask()
      .finally(() => this.#asked.delete(name))
      .then((event) => {
        if (event !== undefined) this.#happened(event);
      })
      // A fault of ours, since answers are data: it must not leave the terminal as it is.
      .catch((error) => this.#fail(error));
  }

  #askList(): void {
    this.#once("list", async () => ({ type: "servers", servers: await listServers() }));
  }

  #askStats(server: WatchedServer): void {
    const { controlSocket } = server;
    this.#once(`stats ${controlSocket}`, async () => {
      const answer = await askStats(controlSocket);
      if ("stats" in answer) return { type: "stats", controlSocket, ...answer };
      if (answer.problem.startsWith("no answer") && !this.#options.isSocketNamed) this.#look(server);
      return { type: "unanswered", controlSocket, ...answer };
    });
  }

  /** Looks for a server that does not answer: it may have been started anew. */
  #look(server: WatchedServer): void {
    this.#once(`look ${server.controlSocket}`, async () => {
      const found = await findAgain(server, server.answeredAt);
      if (found === undefined || found.controlSocket === server.controlSocket) return undefined;
      const { pid, name, folder = server.folder, controlSocket } = found;
      return {
        type: "found",
        instead: server.controlSocket,
        server: { pid, name: name ?? server.name, folder, controlSocket },
      };
    });
  }

  #askHistory({ controlSocket }: WatchedServer): void {
    this.#once(`history ${controlSocket}`, async () => ({
      type: "history",
      controlSocket,
      rates: await askHistory(controlSocket, this.#options.interval),
    }));
  }

  #askPanel(server: WatchedServer): void {
    const { panel } = this.#state;
    if (panel === undefined) return;
    const { kind, pid } = panel;
    this.#once(`${kind} ${pid} ${server.controlSocket}`, async () => ({
      type: "panel",
      kind,
      pid,
      ...(await askPanel(panel, server)),
    }));
  }
}
