/** `tsgun/gateway`: the contract's types, `compose`, `derive` and `endSignal`. Nothing here needs a server. */
export { compose } from "./compose.ts";
export { derive } from "./derive.ts";
export { endSignal } from "./end-signal.ts";
export type * from "./types.ts";
