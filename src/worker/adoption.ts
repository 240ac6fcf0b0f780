/** Sets up the capture of `listen()` calls for a worker, or for a process that only tries the app. */
import cluster from "node:cluster";
import { boundAddress } from "../adopt/bound-address.ts";
import { type CapturedServer, describeTarget, type ListenTarget, nameOf } from "../adopt/listen-call.ts";
import { ListenCapture } from "../adopt/listen-capture.ts";
import { OtherServers } from "../adopt/other-servers.ts";
import type { Config } from "../config/settings.ts";
import type { ErrorLog } from "../log/error-log.ts";

/** The slot whose worker opens the app's other servers. There is always one in it. */
const OPENING_SLOT = 1;

/** How much longer than its graceful timeout the previous worker may hold a port, in milliseconds. */
const EXTRA_WAIT_MS = 10_000;

/**
 * Captures from now on. Call before the app is loaded.
 *
 * @param worker undefined in a process that only tries the app: nothing is opened there
 */
export function captureListening(
  { adopt, otherServers, gracefulTimeout }: Config,
  worker: { readonly slot: number; readonly address: string; readonly log: ErrorLog } | undefined,
): ListenCapture {
  refuseFork();
  return new ListenCapture({
    address: worker && boundAddress(worker.address),
    adopt,
    onNeedless: (captured) => {
      if (worker?.slot !== OPENING_SLOT) return;
      const line = needlessLine(captured);
      if (losesUpgrades(captured)) worker.log.warning(line);
      else worker.log.info(line);
    },
    others: new OtherServers({
      refuses: otherServers === "refuse",
      opens: worker === undefined ? "none" : worker.slot === OPENING_SLOT ? "all" : "free-port",
      patienceMs: gracefulTimeout + EXTRA_WAIT_MS,
      onOpen: (target) => worker?.log.info(openLine(target)),
      onFailure: (target, error) =>
        worker?.log.error(`The app's server on ${describeTarget(target)} cannot listen: ${error.message}`),
    }),
  });
}

function openLine(target: ListenTarget): string {
  return `The app also listens on ${describeTarget(target)}: this server is open in this worker only (--other-servers${adoptHint(target)})`;
}

function needlessLine(captured: CapturedServer): string {
  const { target } = captured;
  const upgrades = losesUpgrades(captured) ? ", without the server's upgrades (WebSockets)" : "";
  const name = nameOf(target);
  const choice = name === undefined ? "--interface server" : `--adopt ${name}`;
  return (
    `The app makes a server listen on ${describeTarget(target)} later than it exports what that serves: ` +
    `the export is served${upgrades}; use ${choice} to serve the server`
  );
}

/** Whether the server handles upgrades, which its exported listener does not. */
function losesUpgrades({ server }: CapturedServer): boolean {
  return server.listenerCount("upgrade") > 0;
}

function adoptHint(target: ListenTarget): string {
  const name = nameOf(target);
  return name === undefined ? "" : `; --adopt ${name} to serve it`;
}

/** An app that forks workers itself does so where `cluster.isPrimary` is true, so this is an app that does not ask. */
function refuseFork(): void {
  const refuse = (): never => {
    throw new Error(
      "cluster.fork() is refused: tsgun starts the workers (--workers), so serve the app itself",
    );
  };
  Object.assign(cluster, { fork: refuse, setupPrimary: refuse, setupMaster: refuse });
}
