/** Reads the arbiter's commands in the watchdog thread, whose own loop turns whatever blocks the main thread. */
import { Socket } from "node:net";

/** A longer line is no command; bounds the memory that it takes. */
const MAX_COMMAND_CHARACTERS = 10_000;

/**
 * Calls `command` with each line that arrives at the descriptor. When the other end is gone, the descriptor is closed, and
 * `closed` is called: from then on another file may have its number.
 */
export function readCommands(fd: number, command: (line: string) => void, closed: () => void): void {
  let rest = "";
  const socket = new Socket({ fd, readable: true, writable: false }).setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() as string).slice(0, MAX_COMMAND_CHARACTERS);
    for (const line of lines) command(line);
  });
  socket.on("error", () => {});
  socket.on("close", closed);
}
