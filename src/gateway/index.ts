/** `tsgun/gateway`: the contract, `compose` and `derive`, and nothing that needs a server. */
export { compose } from "./compose.ts";
export { derive } from "./derive.ts";
export type * from "./types.ts";
