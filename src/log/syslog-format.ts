/**
 * Formats a line as a syslog message. The local socket (/dev/log) gets the format of syslog(3), which rsyslog and
 * journald expect there; a network server gets RFC 5424.
 */
import type { LogLevel } from "./log-level.ts";

/** RFC 5424 table 1, by the names of gunicorn and syslog.conf(5). */
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

/** rsyslog's default limit, in bytes; its UDP receiver truncates longer messages. */
const MAX_MESSAGE_BYTES = 8096;
/** RFC 5424 section 6: APP-NAME. */
const MAX_TAG_LENGTH = 48;
/** RFC 5424 section 6: HOSTNAME. */
const MAX_HOST_LENGTH = 255;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The sender's part of a message. */
export interface SyslogSender {
  readonly facility: SyslogFacility;
  /** The program's name, as returned by `syslogTag`. */
  readonly tag: string;
  readonly pid: number;
  /** Sent to network servers only. */
  readonly host: string;
}

/** Joins `parts` with dots to a program name that every parser accepts: letters, digits and `.-_` only. */
export function syslogTag(...parts: readonly string[]): string {
  const [first = "", ...rest] = parts.map((part) => part.replaceAll(/[^\w.-]+/g, "."));
  const last = rest.pop();
  const tail = last === undefined ? "" : `.${last}`;
  return [first, ...rest].join(".").slice(0, MAX_TAG_LENGTH - tail.length) + tail;
}

/** `<14>Nov  2 18:55:16 tsgun.error[4711]: Starting`, in local time and without a host, as syslog(3) writes it. */
export function localMessage(line: string, level: LogLevel, sender: SyslogSender, time: Date): Buffer {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return truncate(`${priority(level, sender)}${day} ${clock} ${sender.tag}[${sender.pid}]: ${line}`);
}

/** `<14>1 2026-11-02T18:55:16.123Z host tsgun.error 4711 - - Starting`: RFC 5424 section 6. */
export function networkMessage(line: string, level: LogLevel, sender: SyslogSender, time: Date): Buffer {
  const host = sender.host.replaceAll(/[^!-~]+/g, "").slice(0, MAX_HOST_LENGTH) || "-";
  const header = `${priority(level, sender)}1 ${time.toISOString()} ${host} ${sender.tag} ${sender.pid} - -`;
  return truncate(`${header} ${line}`);
}

function priority(level: LogLevel, { facility }: SyslogSender): string {
  return `<${FACILITIES[facility] * 8 + SEVERITIES[level]}>`;
}

/** Truncates to what servers accept, without splitting a character. */
function truncate(message: string): Buffer {
  const bytes = Buffer.from(message);
  if (bytes.length <= MAX_MESSAGE_BYTES) return bytes;
  let end = MAX_MESSAGE_BYTES;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
