/** `tsgun/gateway`: the contract and `compose`, and nothing that needs a server. */
export { compose } from "./compose.ts";
export type * from "./types.ts";
