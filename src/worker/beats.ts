/** Heartbeats of a ready worker: they tell the arbiter that the event loop runs, and how busy the worker is. */
import { notReadyReason, onReadinessChange } from "../interop/not-ready.ts";
import type { FromWorker } from "../ipc/messages.ts";
import type { Serving } from "./serving.ts";

/** Longest interval between heartbeats. */
const MAX_BEAT_INTERVAL_MS = 1000;

/** A number of connections that has moved is reported so soon. No sooner, since it may go on moving. */
const MOVED_BEAT_MS = 50;

/**
 * Sends heartbeats, and once a request to replace this worker if its app leaks descriptors.
 *
 * @param timeout of the event loop, in milliseconds; 0: none
 * @param debuggerOpen whether the loop may stand at a breakpoint
 * @param onBeat called with each heartbeat
 */
export function startBeats(
  { server, limiter }: Serving,
  timeout: number,
  debuggerOpen: () => boolean,
  send: (message: FromWorker) => void,
  onBeat: () => void,
): void {
  let leakReported = false;
  const beat = (): void => {
    limiter.checkDescriptors();
    const { connections, requests } = server;
    limiter.reported();
    const isShort = limiter.descriptorsScarce;
    const notReady = notReadyReason();
    send({ type: "beat", connections, requests, debugged: debuggerOpen(), isShort, notReady });
    if (!limiter.appLeaksDescriptors || leakReported) return;
    leakReported = true;
    send({ type: "due", why: "descriptors", amount: limiter.openDescriptors });
  };
  const interval = timeout === 0 ? MAX_BEAT_INTERVAL_MS : Math.min(MAX_BEAT_INTERVAL_MS, timeout / 8);
  setInterval(() => {
    limiter.lowerLevel();
    beat();
    onBeat();
  }, interval).unref();
  let isMoving = false;
  limiter.whenMoved(() => {
    if (isMoving) return;
    isMoving = true;
    const report = (): void => {
      isMoving = false;
      beat();
    };
    setTimeout(report, MOVED_BEAT_MS).unref();
  });
  onReadinessChange(beat);
  // The app may have said so while it started.
  if (notReadyReason() !== undefined) beat();
}
