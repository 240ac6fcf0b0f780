/**
 * One way out for sd_notify's datagrams, which Node itself cannot send: libc through koffi where that
 * package is installed, else the `systemd-notify` command.
 */
import { spawn } from "node:child_process";

/** Resolves when the message is handed to the kernel; rejects with the reason when it cannot be. */
export type Send = (message: string) => Promise<void>;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sun_path of unix(7), with room for the final zero. */
const LONGEST_PATH = 108;
const EAGAIN = 11;
const SEND_TRIES = 20;
const RETRY_MS = 50;
const COMMAND_TIMEOUT_MS = 5000;

/** sockaddr_un; a leading @ is the zero byte of Linux's abstract names, which end with their length. */
function unixAddress(path: string): Buffer {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > LONGEST_PATH) throw new Error(`the socket's name ${path} is too long`);
  const family = Buffer.alloc(2);
  // The family is in the machine's byte order.
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;
  return Buffer.concat([family, name]);
}

/** Sends through libc. Rejects where koffi is not installed or not made for this machine. */
export async function libcSend(path: string): Promise<Send> {
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const close = libc.func("int close(int fd)");
  const sendto = libc.func(
    "intptr_t sendto(int fd, const void *data, size_t size, int flags, const void *to, uint32_t length)",
  );
  const address = unixAddress(path);
  const once = (data: Buffer): number => {
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
    if (fd < 0) return koffi.errno();
    const sent = sendto(
      fd,
      data,
      data.length,
      MSG_DONTWAIT | MSG_NOSIGNAL,
      address,
      address.length,
    ) as number;
    const errno = sent < 0 ? koffi.errno() : 0;
    close(fd);
    return errno;
  };
  return async (message) => {
    const data = Buffer.from(message);
    for (let tries = 1; ; tries++) {
      const errno = once(data);
      if (errno === 0) return;
      if (errno !== EAGAIN || tries === SEND_TRIES) throw new Error(`sending to ${path}: errno ${errno}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
