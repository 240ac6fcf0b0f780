/** `tsgun/gateway`: the contract's types, and what app authors build on. Nothing here needs a server. */
export { BodyError, ClientGone, GatewayError, HttpError, RequestAborted } from "../errors.ts";
export type { AnswerFields, AnswerHead } from "./answer-head.ts";
export { compose } from "./compose.ts";
export { derive } from "./derive.ts";
export { type AnswerChanges, deriveRespond } from "./derive-respond.ts";
export { endSignal } from "./end-signal.ts";
export { fieldPairs } from "./fields.ts";
export { piecesOf } from "./pieces.ts";
export type * from "./types.ts";
export { under } from "./under.ts";
