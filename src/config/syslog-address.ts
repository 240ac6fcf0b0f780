/** The address of a syslog server, in gunicorn's notation: `udp://host:port`, `tcp://host:port`, `unix:///dev/log#dgram`. */
import * as v from "valibot";
import { type Kind, kind, transformWith } from "./kind.ts";

/** A Unix socket without a type is tried with datagrams first, then as a stream. */
export type SyslogAddress =
  | { readonly transport: "udp" | "tcp"; readonly host: string; readonly port: number }
  | {
      readonly transport: "unix";
      readonly path: string;
      readonly type: "dgram" | "stream" | undefined;
    };

const DEFAULT_PORT = 514;
const SYNTAX_HINT = "write udp://host:514, tcp://host:514 or unix:///dev/log";

function invalidAddress(written: unknown): string {
  return `${JSON.stringify(written)} is not the address of a syslog server: ${SYNTAX_HINT}`;
}

export const syslogAddress: Kind<SyslogAddress, string> = kind({
  placeholder: "ADDRESS",
  schema: v.pipe(
    v.string(({ input }) => invalidAddress(input)),
    transformWith(parseSyslogAddress),
  ),
  format(value) {
    if (value.transport === "unix") {
      return `unix://${value.path}${value.type === undefined ? "" : `#${value.type}`}`;
    }
    const host = value.host.includes(":") ? `[${value.host}]` : value.host;
    return `${value.transport}://${host}:${value.port}`;
  },
});

function parseSyslogAddress(written: string): SyslogAddress {
  const text = written.trim();
  const unix = /^unix:\/\/(\/[^#\0]*)(?:#(dgram|stream))?$/.exec(text);
  if (unix !== null) {
    const [, path = "", type] = unix;
    return { transport: "unix", path, type: type as "dgram" | "stream" | undefined };
  }
  const network = /^(udp|tcp):\/\/(?:\[([\da-f:.%\w]+)\]|([^\s:/[\]#]*))(?::(\d{1,5}))?$/i.exec(text);
  if (network === null) throw new Error(invalidAddress(written));
  const [, transport = "", inBrackets, name = "", digits] = network;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (port < 1 || port > 65535) throw new Error(`${JSON.stringify(written)}: a port is between 1 and 65535`);
  const host = inBrackets ?? (name || "localhost");
  return { transport: transport.toLowerCase() as "udp" | "tcp", host, port };
}

/** gunicorn's default: the system's own socket, except on Linux, where that needs an extra package and UDP does not. */
export const DEFAULT_SYSLOG: SyslogAddress = defaultAddress();

function defaultAddress(): SyslogAddress {
  const local = (path: string): SyslogAddress => ({ transport: "unix", path, type: undefined });
  if (process.platform === "darwin") return local("/var/run/syslog");
  if (process.platform === "freebsd") return local("/var/run/log");
  if (process.platform === "openbsd") return local("/dev/log");
  return { transport: "udp", host: "localhost", port: DEFAULT_PORT };
}
