/** Numbers as people read them. Times are milliseconds, sizes bytes, shares from 0 to 1. */

const WHOLE: Intl.NumberFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const NOTHING = "–";

export function count(value: number): string {
  return WHOLE.format(value);
}

/** Three digits at most before a unit, and one after the point where that says something. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) return WHOLE.format(value);
  return value.toFixed(size >= 9.95 ? 0 : size < 0.0995 && size > 0 ? 2 : 1);
}

/** `1,842`, `12.3 k`, `4.5 M`. */
export function rate(value: number | null): string {
  if (value === null) return NOTHING;
  if (value >= 1e6) return `${digits(value / 1e6)} M`;
  if (value >= 1e5) return `${digits(value / 1e3)} k`;
  return value >= 99.95 ? WHOLE.format(value) : digits(value);
}

/** `3 ms`, `1.2 s`, `2 min`. */
export function duration(value: number | null): string {
  if (value === null) return NOTHING;
  if (value > 0 && value < 0.1) return "<0.1 ms";
  if (value < 999.5) return `${digits(value)} ms`;
  if (value < 99_950) return `${digits(value / 1000)} s`;
  return age(value);
}

/** `2 d 4 h`, `3 min 5 s`: the two largest units. */
export function age(value: number | null): string {
  if (value === null) return NOTHING;
  const seconds = Math.floor(value / 1000);
  if (seconds < 60) return `${seconds} s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** In units of 1024: `13.2 MB`. */
export function bytes(value: number | null): string {
  if (value === null) return NOTHING;
  let amount = value;
  let unit = 0;
  while (Math.abs(amount) >= 1000 && unit < SIZES.length - 1) {
    amount /= 1024;
    unit++;
  }
  const shown = unit === 0 ? WHOLE.format(amount) : amount < 9.95 ? amount.toFixed(1) : WHOLE.format(amount);
  return `${shown} ${SIZES[unit]}`;
}

/** `0.02 %`, `4.1 %`, `37 %`. */
export function percent(value: number | null): string {
  if (value === null) return NOTHING;
  const share = value * 100;
  if (share > 0 && share < 0.01) return "<0.01 %";
  return `${digits(share)} %`;
}

/** `14:03:27`, by the reader's clock. */
export function clock(milliseconds: number): string {
  const date = new Date(milliseconds);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** `14:03:27` on the day of `now`, else `28 Nov 14:03`. */
export function moment(milliseconds: number, now: number): string {
  const date = new Date(milliseconds);
  if (date.toDateString() === new Date(now).toDateString()) return clock(milliseconds);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day} ${clock(milliseconds).slice(0, 5)}`;
}

/** `1 worker`, `4 workers`. */
export function plural(amount: number, noun: string): string {
  return `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

export type Unit = "rate" | "duration" | "bytes" | "percent" | "count";

export const FORMATS: Readonly<Record<Unit, (value: number | null) => string>> = {
  rate,
  duration,
  bytes,
  percent,
  count: (value) => (value === null ? NOTHING : digits(value)),
};
