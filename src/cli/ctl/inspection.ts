/** The commands that show what a server does: its requests, settings, events, log lines and figures. */
import type { Command } from "commander";
import type { EventReport, LogReport, StatsReport } from "../../control/stats.ts";
import { showRecords, withFollow } from "./followed.ts";
import {
  formatConfig,
  formatEvent,
  formatEvents,
  formatListeners,
  formatLogLine,
  formatLogLines,
  formatRequests,
  formatStats,
} from "./inspection-text.ts";
import { query, type Verb } from "./verb.ts";

export const INSPECTION: readonly Verb[] = [
  {
    name: "requests",
    description: "show the requests in flight, oldest first, also those of blocked workers",
    run: (command) => query(command, "/requests", formatRequests),
  },
  {
    name: "stats",
    description: "show rates, durations and totals",
    run: (command) => query<StatsReport>(command, "/stats", formatStats),
  },
  {
    name: "listeners",
    description: "show the addresses, and the connections that wait to be accepted there",
    run: (command) => query(command, "/listeners", formatListeners),
  },
  {
    name: "config",
    description: "show the settings of the running server and where they come from; secrets are hidden",
    run: (command) => query(command, "/config", formatConfig),
  },
  {
    name: "events",
    description: "show what has happened to the server",
    define: (command: Command) => withFollow(command),
    run: (command) => showRecords<EventReport>(command, "/events", formatEvent, formatEvents),
  },
  {
    name: "logs",
    description: "show the last log lines of the arbiter, and what the workers wrote to standard error",
    define: (command: Command) => withFollow(command),
    run: (command) => showRecords<LogReport>(command, "/logs", formatLogLine, formatLogLines),
  },
];
