/** Parses nginx's times and sizes (ngx_parse_time, ngx_parse_size). */

const TIME_UNITS: { readonly [unit: string]: number } = {
  y: 365 * 86_400_000,
  M: 30 * 86_400_000,
  w: 7 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};
const SIZE_UNITS: { readonly [unit: string]: number } = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Parses `60`, `60s`, `1m 30s`, `500ms` to milliseconds; undefined if it is not a time, such as a variable. */
export function nginxTime(text: string): number | undefined {
  const parts = text.trim().match(/\d+(?:ms|[yMwdhms])?\s*/g) ?? [];
  if (parts.length === 0 || parts.join("") !== text.trim()) return undefined;
  return parts.reduce((sum, part) => {
    const [, digits, unit] = /^(\d+)(ms|[yMwdhms])?/.exec(part) as RegExpExecArray;
    return sum + Number(digits) * (TIME_UNITS[unit ?? "s"] as number);
  }, 0);
}

/** Parses `1024`, `8k`, `10m`, `1g` to bytes; undefined if it is not a size. */
export function nginxSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d+)([kmgKMG]?)$/.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (SIZE_UNITS[(unit ?? "").toLowerCase()] ?? 1);
}
