import type { ConfigInput } from "tsgun";
import { startTelemetry, stopTelemetry } from "./telemetry.ts";

// The hooks run in each worker: before the app is loaded, and after its last response.
export default {
  app: "app.ts:handler",
  workers: 2,
  postFork: () => startTelemetry(),
  workerExit: () => stopTelemetry(),
} satisfies ConfigInput;
