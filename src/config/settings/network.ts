/** Settings of the listening sockets, and of the proxies in front of them. */
import { FORWARDED_FIELDS, LOCAL_PEERS } from "../../gateway/proxies.ts";
import type { Address } from "../address.ts";
import { fileMode, flag, text } from "../kind.ts";
import { addresses, forwardedFields, peers, rootPath } from "../network-kind.ts";
import { count } from "../number-kind.ts";
import { setting } from "./setting.ts";

const LOOPBACK: Address = { kind: "tcp", host: "127.0.0.1", port: 8000 };

export const networkSettings = {
  bind: setting({
    section: "Server socket",
    kind: addresses,
    default: [LOOPBACK],
    flags: ["-b"],
    reload: false,
    doc: "Where to listen: host:port, [::1]:port, :port or unix:/path. May be given several times. Where the variable PORT is set, 0.0.0.0:PORT is the default.",
  }),
  backlog: setting({
    section: "Server socket",
    kind: count(1, 65535),
    default: 2048,
    reload: false,
    doc: "How many connections may wait to be accepted. The system has a limit of its own (net.core.somaxconn).",
  }),
  reusePort: setting({
    section: "Server socket",
    kind: flag,
    default: false,
    reload: false,
    doc: "Let several servers bind the same TCP address (SO_REUSEPORT), each with its own workers; the kernel shares connections out among the servers. It takes Node 22.12, or the package koffi.",
  }),
  socketMode: setting({
    section: "Server socket",
    kind: fileMode,
    default: undefined,
    reload: false,
    doc: "The mode of a Unix socket, such as 660. Without it, what the umask leaves; to connect takes write permission.",
  }),
  socketOwner: setting({
    section: "Server socket",
    kind: text("USER[:GROUP]"),
    default: undefined,
    reload: false,
    doc: "Who owns a Unix socket. Without it, the workers' user and group, where --user or --group is given.",
  }),
  forwardedAllowIps: setting({
    section: "Proxies",
    kind: peers,
    default: LOCAL_PEERS,
    environment: ["FORWARDED_ALLOW_IPS"],
    reload: true,
    doc: "The proxies whose X-Forwarded-For and its kin are believed: addresses, CIDRs, unix for whoever comes by a Unix socket, * for everybody, none. For gateway and fetch apps; frameworks have a setting of their own.",
  }),
  forwardedHeaders: setting({
    section: "Proxies",
    kind: forwardedFields,
    default: FORWARDED_FIELDS,
    reload: true,
    doc: "The fields that these proxies set or remove themselves; in any other the client says what it likes. Forwarded is read only in requests that have no X-Forwarded-For, -Proto, -Host or -Port of this list.",
  }),
  rootPath: setting({
    section: "Proxies",
    kind: rootPath,
    default: "",
    reload: true,
    doc: "The path under which a proxy mounts the application, such as /app, where no X-Forwarded-Prefix says it. For gateway and fetch apps.",
  }),
} as const;
