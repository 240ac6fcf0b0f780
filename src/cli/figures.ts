/** Figures as a person reads them: at most three digits and a unit. Null, for what is not known, is a dash. */

export const UNKNOWN = "-";

/** A duration in milliseconds: `0.4ms`, `41ms`, `1.2s`, `35s`, `12m`, `3h`. */
export function duration(milliseconds: number | null): string {
  if (milliseconds === null) return UNKNOWN;
  if (milliseconds < 0.95) return milliseconds < 0.05 ? "0ms" : `${milliseconds.toFixed(1)}ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)}ms`;
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)}s`;
  return age(milliseconds);
}

/** The same with a space before the unit of milliseconds and seconds, for sentences: `41 ms`. */
export function spacedDuration(milliseconds: number | null): string {
  return duration(milliseconds).replace(/(?<=\d)(?=m?s$)/, " ");
}

/** An age in milliseconds, by its largest unit, and a second one below ten: `4s`, `12m`, `3h5m`, `2d`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 100) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return hours < 10 && minutes % 60 > 0 ? `${hours}h${minutes % 60}m` : `${hours}h`;
  return `${Math.floor(hours / 24)}d`;
}

/** Requests per second: `0`, `0.4`, `12.5`, `1,842`. */
export function rate(perSecond: number | null): string {
  if (perSecond === null) return UNKNOWN;
  if (perSecond === 0) return "0";
  return perSecond < 99.95 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

/** A whole number with separators of thousands: `1,842`. */
export function count(number: number | null): string {
  return number === null ? UNKNOWN : String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** A share, from 0 to 1, of requests: `0%`, `0.02%`, `3.1%`, `100%`. Only none is 0. */
export function ratio(share: number | null): string {
  if (share === null) return UNKNOWN;
  const percent = share * 100;
  if (percent === 0) return "0%";
  if (percent < 0.01) return "<.01%";
  return `${percent < 1 ? percent.toFixed(2) : percent < 9.95 ? percent.toFixed(1) : Math.round(percent)}%`;
}

/** A share, from 0 to 1, of time, in whole per cent. */
export function percent(share: number | null): string {
  return share === null ? UNKNOWN : `${Math.round(share * 100)}%`;
}

const UNITS = ["B", "K", "M", "G", "T"];

/** A size in bytes: `512B`, `8.2K`, `123M`, `1.5G`. */
export function bytes(size: number | null): string {
  if (size === null) return UNKNOWN;
  let value = size;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));
  return `${digits}${UNITS[unit]}`;
}

const LEVELS = "▁▂▃▄▅▆▇█";

/** Figures over time as one row of bars, the newest at the right; where nothing is known yet, spaces. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const highest = Math.max(...shown, 0);
  const bars = shown.map((value) => {
    if (highest === 0 || value === 0) return LEVELS[0];
    // Anything above zero can be told from zero.
    return LEVELS[Math.max(1, Math.round((value / highest) * (LEVELS.length - 1)))];
  });
  return bars.join("").padStart(width);
}
