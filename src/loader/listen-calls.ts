/**
 * What the app tells to listen while it is loaded. tsgun does the listening: an app that does it too would be asked
 * at two places, one of which knows of no limit, no reload and no end.
 */
import { Server } from "node:net";
import { displayed } from "./locate.ts";

export class ListenCalls {
  readonly #calls: { readonly server: Server; readonly from: Error }[] = [];
  readonly #listen = Server.prototype.listen;

  /** Watches from now on, until `stop`. */
  constructor() {
    const calls = this.#calls;
    const listen = this.#listen as (...given: unknown[]) => Server;
    Server.prototype.listen = function (this: Server, ...given: unknown[]): Server {
      calls.push({ server: this, from: new Error("listen") });
      return Reflect.apply(listen, this, given);
    } as typeof listen;
  }

  stop(): void {
    Server.prototype.listen = this.#listen;
  }

  /** Where the first call was, for people: " (at app.js:12)"; undefined when there was none. */
  async place(cwd: string): Promise<string | undefined> {
    const [first] = this.#calls;
    if (first === undefined) return undefined;
    const { userFrame } = await import("./user-frame.ts");
    const frame = userFrame(first.from);
    return frame === undefined ? "" : ` (at ${displayed(frame.file, cwd)}:${frame.line})`;
  }

  /** Whether a server that listens hands its requests to `listener`. */
  serve(listener: unknown): boolean {
    return this.#calls.some(({ server }) => server.listeners("request").includes(listener as () => void));
  }
}
