/** The page of `?`. */
import type { PanelLine } from "./state.ts";

const TEXT = `
Server
  + -         one worker more, one less
  R           reload: new workers replace all old ones, one by one
  l           the server's log
  i           requests in flight

Selected worker
  ↑ ↓  k j    select
  r           restart: a new worker is ready before this one stops
  s           its JavaScript stack now; again for a later one
  p           profile it for 10 s into a file
  w           why the worker before it in its slot ended

Screen
  < >         sort by the column to the left, to the right
  Esc         back to the table, from there to the list of servers
  Ctrl-L      draw anew
  Ctrl-Z      suspend; fg comes back
  q  Ctrl-C   quit

Columns
  REQ/S P50 P99 5XX   over the last seconds; 5XX includes requests that ended with an error
  INFL OLDEST CONN    requests in flight, the age of the oldest one, connections
  ELU LAG99           how busy the event loop is, and how late it runs its timers (p99)
  CPU PSS             100% is one core; memory, with shared pages counted in part (RSS: in full)
  ↺ LAST EXIT         workers that the slot has had before, and how the last one ended
`;

export const HELP: readonly PanelLine[] = TEXT.trim()
  .split("\n")
  .map((text) => ({ text, style: /^\S/.test(text) ? "strong" : "plain" }));
