/**
 * Sends sd_notify's datagrams, which Node itself cannot: with libc through koffi if that package is installed, otherwise
 * with the `systemd-notify` command.
 */
import { spawn } from "node:child_process";

/** Resolves when the kernel has the message; rejects with the reason otherwise. */
export type Send = (message: string) => Promise<void>;

const MAX_SEND_ATTEMPTS = 20;
const RETRY_MS = 50;
const COMMAND_TIMEOUT_MS = 5000;

/** Sends through libc. Rejects if koffi is not installed or not built for this platform. */
export async function libcSender(path: string): Promise<Send> {
  const { DatagramSocket, requireDatagrams } = await import("../native/datagram-socket.ts");
  requireDatagrams();
  return async (message) => {
    const socket = new DatagramSocket(path);
    try {
      for (let attempt = 1; !socket.send(Buffer.from(message)); attempt++) {
        if (attempt === MAX_SEND_ATTEMPTS)
          throw new Error(`sending to ${path}: the receiver accepts nothing`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    } finally {
      socket.close();
    }
  };
}

/** Sends with `systemd-notify`. For a user other than root the unit then needs `NotifyAccess=all`. */
export function commandSender(path: string, env: NodeJS.ProcessEnv = process.env): Send {
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
