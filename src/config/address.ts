/** Parses addresses to bind: `host:port`, `[::1]:port`, `:port`, `port`, `unix:/path`. */

/** An address to bind. `host` is a name or an IP address, without brackets. */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The default host, as in gunicorn for `:8000`. */
const ANY_HOST = "0.0.0.0";
const DEFAULT_PORT = 8000;

/** @throws Error with the reason, without the name of the setting */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(.*)$/s.exec(text);
  if (unix !== null) {
    const path = unix[1] as string;
    if (path === "") throw new Error(`"${text}" names no path: write unix:/run/app.sock`);
    if (path.includes("\0")) throw new Error("a socket path cannot contain a NUL character");
    return { kind: "unix", path };
  }
  if (text.startsWith("fd://"))
    throw new Error(`"${text}": sockets from systemd are used without it: leave bind out`);
  const bare = text.replace(/^tcp:\/\//, "");
  if (/^\d+$/.test(bare)) return { kind: "tcp", host: ANY_HOST, port: parsePort(bare, text) };
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(bare);
  if (bracketed !== null) {
    return { kind: "tcp", host: bracketed[1] as string, port: parsePort(bracketed[2], text) };
  }
  const named = /^([^:[\]/\s]*)(?::(\d+))?$/.exec(bare);
  if (named === null || bare === "") {
    const hint = /^[\da-f:]+$/i.test(bare) ? " (put an IPv6 address in brackets: [::1]:8000)" : "";
    throw new Error(`"${text}" is not an address: write host:port, [::1]:port, :port or unix:/path${hint}`);
  }
  return { kind: "tcp", host: named[1] || ANY_HOST, port: parsePort(named[2], text) };
}

function parsePort(digits: string | undefined, text: string): number {
  if (digits === undefined) return DEFAULT_PORT;
  const port = Number(digits);
  if (port > 65535) throw new Error(`"${text}": a port is at most 65535`);
  return port;
}

/** Formats an address as a setting's value. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** The address at which a client on the same machine reaches it: a wildcard address is reached over loopback. */
export function reachable(address: Address): Address {
  if (address.kind === "unix") return address;
  const host = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address.host] ?? address.host;
  return { ...address, host };
}
