/**
 * Records listen() calls of the app while it loads. tsgun listens on behalf of the app: if the app listened too, it
 * would also be reachable at an address without limits, reloads or graceful shutdown.
 */
import { Server } from "node:net";
import { displayed } from "./locate.ts";

export class ListenCalls {
  readonly #calls: { readonly server: Server; readonly from: Error }[] = [];
  readonly #listen = Server.prototype.listen;

  /** Records from now on, until `stop`. */
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

  /** Location of the first call, for messages: " (at app.js:12)", or "" if unknown; undefined without a call. */
  async place(cwd: string): Promise<string | undefined> {
    const [first] = this.#calls;
    if (first === undefined) return undefined;
    const { userFrame } = await import("./user-frame.ts");
    const frame = userFrame(first.from);
    return frame === undefined ? "" : ` (at ${displayed(frame.file, cwd)}:${frame.line})`;
  }

  /** Whether one of the listening servers passes its requests to `listener`. */
  serve(listener: unknown): boolean {
    return this.#calls.some(({ server }) => server.listeners("request").includes(listener as () => void));
  }
}
