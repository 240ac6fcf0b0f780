/**
 * A line as a syslog message. The system's own socket (/dev/log) is spoken to as syslog(3) does it, which is what
 * rsyslog's and journald's parsers for it take; a server in the network is sent RFC 5424.
 */
import type { LogLevel } from "./log-level.ts";

/** RFC 5424 table 1, by the names that gunicorn and syslog.conf(5) know them by. */
const FACILITIES = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  security: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

export type SyslogFacility = keyof typeof FACILITIES;

/** RFC 5424 table 2. */
const SEVERITIES: { readonly [Level in LogLevel]: number } = {
  debug: 7,
  info: 6,
  warning: 4,
  error: 3,
  critical: 2,
};

/** What rsyslog takes by default, in bytes; its UDP receiver cuts what is longer. */
const LONGEST = 8096;
/** RFC 5424 section 6: APP-NAME. */
const LONGEST_TAG = 48;
/** RFC 5424 section 6: HOSTNAME. */
const LONGEST_HOST = 255;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Who speaks. */
export interface SyslogSender {
  readonly facility: SyslogFacility;
  /** The program's name, as `syslogTag` makes it. */
  readonly tag: string;
  readonly pid: number;
  /** Only a server in the network is told. */
  readonly host: string;
}

/** `parts` joined with dots to a program's name that every parser takes: nothing but letters, digits and `.-_`. */
export function syslogTag(...parts: readonly string[]): string {
  const [first = "", ...rest] = parts.map((part) => part.replaceAll(/[^\w.-]+/g, "."));
  const last = rest.pop();
  const tail = last === undefined ? "" : `.${last}`;
  return [first, ...rest].join(".").slice(0, LONGEST_TAG - tail.length) + tail;
}

/** `<14>Nov  2 18:55:16 tsgun.error[4711]: Starting`, in local time and without a host, as syslog(3) writes it. */
export function localMessage(line: string, level: LogLevel, sender: SyslogSender, time: Date): Buffer {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return cut(`${priority(level, sender)}${day} ${clock} ${sender.tag}[${sender.pid}]: ${line}`);
}

/** `<14>1 2026-11-02T18:55:16.123Z host tsgun.error 4711 - - Starting`: RFC 5424 section 6. */
export function networkMessage(line: string, level: LogLevel, sender: SyslogSender, time: Date): Buffer {
  const host = sender.host.replaceAll(/[^!-~]+/g, "").slice(0, LONGEST_HOST) || "-";
  const header = `${priority(level, sender)}1 ${time.toISOString()} ${host} ${sender.tag} ${sender.pid} - -`;
  return cut(`${header} ${line}`);
}

function priority(level: LogLevel, { facility }: SyslogSender): string {
  return `<${FACILITIES[facility] * 8 + SEVERITIES[level]}>`;
}

/** At most as many bytes as servers take, and no half of a character at the end. */
function cut(message: string): Buffer {
  const bytes = Buffer.from(message);
  if (bytes.length <= LONGEST) return bytes;
  let end = LONGEST;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
