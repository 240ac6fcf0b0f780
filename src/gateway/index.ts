/** `tsgun/gateway`: the contract, `compose`, `derive` and `endSignal`, and nothing that needs a server. */
export { compose } from "./compose.ts";
export { derive } from "./derive.ts";
export { endSignal } from "./end-signal.ts";
export type * from "./types.ts";
