/** This worker's requests in flight, as the arbiter asks for them. */
import type { InFlight } from "../../ipc/question.ts";
import type { WorkerServer } from "../../server/server.ts";

/** More requests in flight than that would make a message that blocks this worker. */
const MAX_REQUESTS = 1000;
/** Longer targets are cut. */
const MAX_TARGET = 2000;

/** Bounded, since a large message would block this worker. */
export function requestsInFlight(server: WorkerServer): InFlight[] {
  return server
    .inFlight()
    .slice(0, MAX_REQUESTS)
    .map(({ method, target, id, age, remote, bytesReceived, bytesSent, record }) => ({
      method,
      target: target.slice(0, MAX_TARGET),
      id,
      age: Math.round(age),
      remote: remote ?? record?.remote ?? "",
      bytesReceived: bytesReceived ?? null,
      bytesSent: bytesSent ?? record?.bytes ?? null,
    }));
}
