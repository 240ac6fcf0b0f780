/**
 * One way out for sd_notify's datagrams, which Node itself cannot send: libc through koffi where that
 * package is installed, else the `systemd-notify` command.
 */
import { spawn } from "node:child_process";

/** Resolves when the message is handed to the kernel; rejects with the reason when it cannot be. */
export type Send = (message: string) => Promise<void>;

const SEND_TRIES = 20;
const RETRY_MS = 50;
const COMMAND_TIMEOUT_MS = 5000;

/** Sends through libc. Rejects where koffi is not installed or not made for this machine. */
export async function libcSend(path: string): Promise<Send> {
  const { DatagramSocket, requireDatagrams } = await import("../native/datagram-socket.ts");
  requireDatagrams();
  return async (message) => {
    const socket = new DatagramSocket(path);
    try {
      for (let tries = 1; !socket.send(Buffer.from(message)); tries++) {
        if (tries === SEND_TRIES) throw new Error(`sending to ${path}: the receiver takes nothing`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    } finally {
      socket.close();
    }
  };
}

/** Sends with `systemd-notify`; as a user other than root the unit then needs `NotifyAccess=all`. */
export function commandSend(path: string, env: NodeJS.ProcessEnv = process.env): Send {
  return (message) =>
    new Promise((resolve, reject) => {
      const child = spawn("systemd-notify", message.split("\n"), {
        stdio: "ignore",
        env: { ...env, NOTIFY_SOCKET: path },
        timeout: COMMAND_TIMEOUT_MS,
      });
      child.once("error", (error) => reject(new Error(`systemd-notify: ${error.message}`)));
      child.once("exit", (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`systemd-notify ended with ${signal ?? code}`));
      });
    });
}
