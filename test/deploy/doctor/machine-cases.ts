/** The machine, its sockets, and a running server. */
import type { ExaminedSocket, RunningServer } from "../../../src/deploy/doctor/facts.ts";
import { VERSION } from "../../support/doctor.ts";
import type { Case } from "./rule-case.ts";

const ROOT = { path: "/", mode: 0o755, uid: 0, gid: 0 };
const OPEN: ExaminedSocket = {
  path: "/run/shop/shop.sock",
  mode: 0o660,
  uid: 1000,
  gid: 33,
  folders: [ROOT, { path: "/run/shop", mode: 0o750, uid: 1000, gid: 33 }],
};

export const RUNNING: RunningServer = {
  status: {
    name: "shop",
    version: VERSION,
    pid: 7,
    app: "app.ts:handler",
    folder: "/srv/shop",
    startedIn: "/srv/shop",
    config: null,
    listening: ["http://127.0.0.1:8000"],
    startedAt: "2026-01-01T00:00:00.000Z",
    uptime: 1000,
    generation: 1,
    generationStartedAt: "2026-01-01T00:00:00.000Z",
    workers: { target: 2, ready: 2 },
    state: "serving",
    ready: true,
    reason: "ok",
  },
  workers: [{ pid: 8, openFiles: 4096 }],
  activated: false,
  environment: undefined,
};
const PLACE = "the server (pid 7)";

export const MACHINE_CASES: readonly Case[] = [
  {
    rule: "socket-closed",
    what: "write permission decides, and the group's only if nginx is a member",
    ill: { machine: { sockets: [{ ...OPEN, gid: 1000 }] } },
    well: { machine: { sockets: [OPEN] } },
    where: "/run/shop/shop.sock",
    says: /mode is 660, its owner user 1000 and group 1000, and nginx runs as www-data \(user 33, groups 33\)/,
  },
  {
    rule: "socket-closed",
    what: "the first matching class decides: nginx is the owner",
    ill: { machine: { sockets: [{ ...OPEN, mode: 0o066, uid: 33 }] } },
    well: { machine: { sockets: [{ ...OPEN, mode: 0o600, uid: 33 }] } },
    where: "/run/shop/shop.sock",
    says: /mode is 066/,
  },
  {
    rule: "socket-folder-closed",
    what: "a folder of another group",
    ill: {
      machine: {
        sockets: [{ ...OPEN, folders: [ROOT, { path: "/run/shop", mode: 0o750, uid: 1000, gid: 1000 }] }],
      },
    },
    well: { machine: { sockets: [OPEN] } },
    where: "/run/shop",
    says: /runs as www-data, may not enter this folder .*: mode 750/,
  },
  {
    rule: "machine-cpus",
    what: "five on two",
    ill: { config: { workers: 5 }, machine: { cpus: { value: 1.5, source: "cgroup" } } },
    well: { config: { workers: 4 }, machine: { cpus: { value: 1.5, source: "cgroup" } } },
    where: "workers (tsgun.config.ts)",
    says: /5 workers on 1\.5 CPUs \(by its control group's quota\)/,
  },
  {
    rule: "machine-memory",
    what: "two of 768 MB in 1 GB",
    ill: { config: { workers: "auto", maxMemory: "768MB" }, machine: { memory: 1024 ** 3 } },
    well: { config: { workers: "auto", maxMemory: "768MB" } },
    where: "max-memory (tsgun.config.ts)",
    says: /2 workers/,
  },
  {
    rule: "machine-somaxconn",
    what: "a container's 128",
    ill: { machine: { somaxconn: 128 } },
    well: { config: { backlog: 128 }, machine: { somaxconn: 128 } },
    where: "backlog (default)",
    says: /2048 connections should be able to wait, but the system allows 128/,
  },
  {
    rule: "machine-koffi",
    what: "a service that notifies",
    ill: { machine: { koffi: false }, service: "[Service]\nType=notify" },
    well: { service: "[Service]\nType=notify" },
    where: "shop.service:2",
    says: /systemd-notify/,
  },
  {
    rule: "machine-koffi",
    what: "a syslog with datagrams",
    ill: { machine: { koffi: false }, config: { logSyslog: true, logSyslogTo: "unix:///dev/log#dgram" } },
    well: { machine: { koffi: false }, config: { logSyslog: true, logSyslogTo: "unix:///dev/log#stream" } },
    where: "log-syslog-to",
    says: /datagrams/,
  },
  {
    rule: "server-open-files",
    what: "1024 files, 1000 connections",
    ill: { server: { ...RUNNING, workers: [{ pid: 8, openFiles: 1024 }] } },
    well: { server: { ...RUNNING, workers: [{ pid: 8, openFiles: undefined }] } },
    where: PLACE,
    says: /1024 files each, too few for 1000 connections/,
  },
  {
    rule: "server-elsewhere",
    what: "a configuration that was changed",
    ill: { config: { bind: "127.0.0.1:8001" }, server: RUNNING },
    well: { config: { bind: "127.0.0.1:8001" }, server: { ...RUNNING, activated: true } },
    where: PLACE,
    says: /listens at 127\.0\.0\.1:8000, not at 127\.0\.0\.1:8001 \(bind\)/,
  },
  {
    rule: "server-workers",
    what: "one is missing",
    ill: { server: { ...RUNNING, status: { ...RUNNING.status, workers: { target: 2, ready: 1 } } } },
    well: {
      server: {
        ...RUNNING,
        status: { ...RUNNING.status, state: "reloading", workers: { target: 2, ready: 1 } },
      },
    },
    where: PLACE,
    says: /1 of 2 workers/,
  },
  {
    rule: "server-version",
    what: "installed, and not upgraded to",
    ill: { server: { ...RUNNING, status: { ...RUNNING.status, version: "0.0.9" } } },
    well: { server: RUNNING },
    where: PLACE,
    says: /0\.0\.9, but 0\.1\.0 is installed/,
  },
];
