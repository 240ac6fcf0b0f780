/** Settings that qualify another one: given without it, they do nothing, and whoever gave them believes that they do. */
import { type Config, type Setting, type SettingName, settingLabel, settings } from "./settings.ts";

const QUALIFIED = {
  maxQueue: "maxInFlight",
  queueTimeout: "maxInFlight",
  neverShed: "maxInFlight",
  maxRequestsJitter: "maxRequests",
  maxLifetimeJitter: "maxLifetime",
  proxyAllowFrom: "proxyProtocol",
  logSyslogTo: "logSyslog",
  ciphers: "certfile",
  sslVersion: "certfile",
  http2Cleartext: "httpProtocols",
  http2MaxConcurrentStreams: "httpProtocols",
  http2InitialWindowSize: "httpProtocols",
  http2MaxFrameSize: "httpProtocols",
  http2MaxHeaderListSize: "httpProtocols",
} as const satisfies { readonly [name in SettingName]?: SettingName };

type Qualifying = keyof typeof QUALIFIED;

const OFF: readonly unknown[] = [0, false, "off", undefined];

function isOff(name: SettingName, config: Config): boolean {
  return name === "httpProtocols" ? !config.httpProtocols.includes("h2") : OFF.includes(config[name]);
}

/** The settings of a configuration that differ from their defaults in vain. */
export function settingsWithoutEffect(config: Config): Qualifying[] {
  const names = Object.keys(QUALIFIED) as Qualifying[];
  return names.filter((name) => isOff(QUALIFIED[name], config) && isGiven(name, config));
}

function isGiven(name: Qualifying, config: Config): boolean {
  const { kind, default: usual } = settings[name] as Setting<unknown>;
  const value = config[name];
  if (value === undefined || usual === undefined) return value !== usual;
  return kind.format(value) !== kind.format(usual);
}

/** Says what one of them lacks: `never-shed has no effect without max-in-flight`. */
export function describeWithoutEffect(name: Qualifying): string {
  const other = QUALIFIED[name];
  const value = other === "httpProtocols" ? "h2 in " : "";
  return `${settingLabel(name)} has no effect without ${value}${settingLabel(other)}`;
}
