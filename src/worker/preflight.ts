/** Program of the preflight process: loads the app as a worker would, reports the result and exits. It starts nothing. */
import { processTitle } from "../config/process-title.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode } from "../errors.ts";
import { type BootStep, describeDuring } from "../ipc/boot-step.ts";
import { seal, unseal } from "../ipc/envelope.ts";
import type { FromPreflight, PreflightAssignment } from "../ipc/messages.ts";
import { captureListening } from "./adoption.ts";
import { describeExit, watchAppExit } from "./app-exit.ts";
import { describeBootError } from "./boot-error.ts";
import { useCompileCache, writeCompileCache } from "./compile-cache.ts";
import { dropPrivileges } from "./privileges.ts";
import { describeApp, loadServed } from "./serving.ts";
import { startWatchdog } from "./watchdog/watchdog.ts";

const STDERR = 2;

// The parent ends this process. A signal to the process group, such as Ctrl-C in a terminal, is meant for the parent.
// Without a listener SIGUSR1 opens a debugger port.
for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
  process.on(signal, () => {});
process.on("disconnect", () => process.exit());
process.on("uncaughtException", fail);
process.once("message", (received) => {
  load(unseal<PreflightAssignment<Config>>(received) as PreflightAssignment<Config>).catch(fail);
});

async function load({ starter, identity, settings }: PreflightAssignment<Config>): Promise<void> {
  process.title = processTitle("preflight", settings);
  try {
    dropPrivileges(identity);
    // A blocked main thread cannot notice that the parent is gone; the watchdog can.
    startWatchdog({ stuckAfterMs: 0, parentPid: starter, sink: { fd: STDERR, format: "text" } });
    if (settings.preload) useCompileCache();
    const loaded = await loadServed(settings, {
      capture: captureListening(settings, undefined),
      onStep: enterStep,
    });
    if (settings.preload) writeCompileCache();
    report({ type: "loaded", what: describeApp(loaded) });
  } catch (error) {
    fail(error);
  }
}

/** The current step. */
let step: BootStep | undefined;

function enterStep(next: BootStep): void {
  step = next;
  process.send?.(seal({ type: "boot-step", ...next }));
}

watchAppExit((exit) => {
  if (step === undefined) return;
  const message = describeExit(exit, describeDuring(step));
  process.send?.(
    seal({ type: "failed", kind: "load", exitCode: ExitCode.appLoad, message, stack: exit.stack }),
  );
});

function fail(error: unknown): void {
  const { failure, exitCode } = describeBootError(error);
  report({ type: "failed", exitCode, ...failure });
}

function report(message: FromPreflight): void {
  process.send?.(seal(message), undefined, undefined, () => process.exit());
}
