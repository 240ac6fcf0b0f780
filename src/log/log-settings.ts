/** Derives the options of the logs from the settings. */
import type { AccessLogOptions } from "./access-log.ts";
import type { ErrorLogOptions, LogFields, LogFormat } from "./error-log.ts";
import type { SinkTarget } from "./line-sink.ts";
import type { LogLevel } from "./log-level.ts";
import type { MessageTarget } from "./message-link.ts";
import type { SyslogFacility } from "./syslog-format.ts";
import type { SyslogOptions } from "./syslog-sink.ts";

export interface SyslogSettings {
  readonly name: string | undefined;
  readonly logSyslog: boolean;
  readonly logSyslogTo: MessageTarget;
  readonly logSyslogPrefix: string | undefined;
  readonly logSyslogFacility: SyslogFacility;
  readonly disableRedirectAccessToSyslog: boolean;
}

export interface LogSettings extends SyslogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export function errorLogOptions(
  settings: LogSettings,
  target: SinkTarget,
  fields: LogFields = {},
): ErrorLogOptions {
  const { logLevel: level, logFormat: format } = settings;
  return { level, format, target, fields, syslog: syslogOptions(settings, "error") };
}

/** `context`: what the settings do not say. */
export function accessLogOptions(
  settings: SyslogSettings & { readonly accessLogformat: string },
  context: Pick<AccessLogOptions, "target" | "worker" | "nearest" | "onTrouble" | "onDrop">,
): AccessLogOptions {
  return { ...context, format: settings.accessLogformat, syslog: accessSyslogOptions(settings) };
}

/** Syslog options of the access log; undefined if it does not go to syslog. */
export function accessSyslogOptions(settings: SyslogSettings): SyslogOptions | undefined {
  return settings.disableRedirectAccessToSyslog ? undefined : syslogOptions(settings, "access");
}

function syslogOptions(settings: SyslogSettings, log: "error" | "access"): SyslogOptions | undefined {
  if (!settings.logSyslog) return undefined;
  const { logSyslogTo: target, logSyslogFacility: facility, logSyslogPrefix, name } = settings;
  const prefix = logSyslogPrefix ?? name;
  return { target, facility, name: prefix === undefined ? ["tsgun", log] : ["tsgun", prefix, log] };
}
