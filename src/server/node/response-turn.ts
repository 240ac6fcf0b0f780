/** The turn of a response among those of its connection, which go out in the order of the requests. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Calls `step` once the responses before this one are complete; at once if there are none. If the connection closes before,
 * never.
 *
 * Needed for informational responses: node keeps what is written ahead of the turn, and then puts the head of the final
 * response in front of it, so that a 100 would be the beginning of the content.
 */
export function whenItsTurn(response: ServerResponse, step: () => void): void {
  if (response.socket !== null) {
    step();
    return;
  }
  const { assignSocket } = response;
  response.assignSocket = (socket: Socket): void => {
    assignSocket.call(response, socket);
    step();
  };
}
