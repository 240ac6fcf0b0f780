/** Figures as a story shows them. */

export function megabytes(bytes: number): string {
  const mb = bytes / 1024 ** 2;
  return mb < 10 ? `${mb.toFixed(1)} MB` : `${Math.round(mb)} MB`;
}

/** @param ms milliseconds */
export function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor(ms / 1000) % 60} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor(ms / 60_000) % 60} min`;
}

/** Escapes control characters: text of a client or an app must not command a terminal. */
export { printable } from "../ipc/stall-report.ts";
