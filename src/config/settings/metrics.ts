/** The settings of statsd, gunicorn's. */
import { flag } from "../kind.ts";
import { statsdAddress, statsdPrefix, statsdTags } from "../statsd-kind.ts";
import { setting } from "./setting.ts";

export const metricsSettings = {
  statsdHost: setting({
    section: "Control",
    kind: statsdAddress,
    default: undefined,
    reload: true,
    doc: "The statsd server that the arbiter sends gunicorn's metrics to, once a second: host:port, or unix:///path of a socket for datagrams, which requires the package koffi. Off by default.",
  }),
  statsdPrefix: setting({
    section: "Control",
    kind: statsdPrefix,
    default: undefined,
    reload: true,
    doc: "Text before the name of each statsd metric; a dot follows it.",
  }),
  dogstatsdTags: setting({
    section: "Control",
    kind: statsdTags,
    default: undefined,
    reload: true,
    doc: "Tags of each statsd metric in DogStatsD's format, separated by commas: env:live,team:shop.",
  }),
  enableBacklogMetric: setting({
    section: "Control",
    kind: flag,
    default: false,
    reload: true,
    doc: "Send gunicorn.backlog to statsd too: the number of connections that wait to be accepted. Linux only.",
  }),
} as const;
