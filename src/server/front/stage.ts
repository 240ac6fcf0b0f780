/** A stage of a front that may put another socket around the one it gets. */
import type { Socket } from "node:net";
import type { ConnectionFacts } from "./facts.ts";

/**
 * Resolves with the socket of the next stage: the same one, or one around it. It must be paused then, with what has been
 * read beyond the stage put back. Rejects with a `Refusal` to refuse the connection, to which it may have written an answer,
 * and with `ClientLeft` if there is nobody to refuse.
 */
export type Stage = (socket: Socket, facts: ConnectionFacts) => Promise<Socket>;
