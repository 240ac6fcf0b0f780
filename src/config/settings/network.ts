/** Settings of the listening sockets, and of the proxies in front of them. */
import { FORWARDED_FIELDS, LOCAL_PEERS } from "../../gateway/proxies.ts";
import type { Address } from "../address.ts";
import { fileMode, flag, text } from "../kind.ts";
import {
  addresses,
  forwardedFields,
  peers,
  proxyVersions,
  rootPath,
  workerAddresses,
} from "../network-kind.ts";
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
    doc: "The address to listen on: host:port, [::1]:port, :port or unix:/path. Can be given several times. If the variable PORT is set, the default is 0.0.0.0:PORT.",
  }),
  workerBind: setting({
    section: "Server socket",
    kind: workerAddresses,
    default: undefined,
    reload: false,
    doc: "An address of its own for each worker, beside the shared ones: unix:/run/app-{slot}.sock, or a range of ports such as 127.0.0.1:9001-9016. A reload keeps each open. For proxies that keep a client at one worker.",
  }),
  backlog: setting({
    section: "Server socket",
    kind: count(1, 65535),
    default: 2048,
    reload: false,
    doc: "The number of connections that may wait to be accepted. The system has its own limit (net.core.somaxconn).",
  }),
  reusePort: setting({
    section: "Server socket",
    kind: flag,
    default: false,
    reload: false,
    doc: "Let several servers bind the same TCP address (SO_REUSEPORT), each with its own workers; the kernel distributes connections among the servers. Requires Node 22.12, or the package koffi.",
  }),
  socketMode: setting({
    section: "Server socket",
    kind: fileMode,
    default: undefined,
    reload: false,
    doc: "The mode of a Unix socket, such as 660; connecting requires write permission. Default: what the umask leaves.",
  }),
  socketOwner: setting({
    section: "Server socket",
    kind: text("USER[:GROUP]"),
    default: undefined,
    reload: false,
    doc: "The owner of a Unix socket. Default: the workers' user and group, if --user or --group is given.",
  }),
  forwardedAllowIps: setting({
    section: "Proxies",
    kind: peers,
    default: LOCAL_PEERS,
    environment: ["FORWARDED_ALLOW_IPS"],
    reload: true,
    doc: "The proxies whose X-Forwarded-For and related fields are trusted: addresses, CIDRs, unix for peers on a Unix socket, * for every peer, or none. Applies to gateway and fetch apps; frameworks have a setting of their own.",
  }),
  forwardedHeaders: setting({
    section: "Proxies",
    kind: forwardedFields,
    default: FORWARDED_FIELDS,
    reload: true,
    doc: "The fields that these proxies set or remove; clients can forge all others. Forwarded is read only in requests without an X-Forwarded-For, -Proto, -Host or -Port of this list.",
  }),
  proxyProtocol: setting({
    section: "Proxies",
    kind: proxyVersions,
    default: "off",
    reload: true,
    doc: "Whether load balancers begin each connection with a PROXY header, which names the client: v1, v2, or auto for either, which is also the value of the flag without one. One is required from the peers of --proxy-allow-from, and refused from others.",
  }),
  proxyAllowFrom: setting({
    section: "Proxies",
    kind: peers,
    default: LOCAL_PEERS,
    flags: ["--proxy-allow-ips"],
    reload: true,
    doc: "The load balancers that send PROXY headers: addresses, CIDRs, unix for peers on a Unix socket, * for every peer, or none. Has no effect without --proxy-protocol.",
  }),
  rootPath: setting({
    section: "Proxies",
    kind: rootPath,
    default: "",
    reload: true,
    doc: "The path under which a proxy mounts the application, such as /app, for requests without X-Forwarded-Prefix. Applies to gateway and fetch apps.",
  }),
} as const;
