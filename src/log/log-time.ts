/** Timestamps for logs, formatted once per second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let clfSecond = Number.NaN;
let clfText = "";

/** `[22/Nov/2026:22:15:18 +0000]`: local time with its UTC offset; `time` in milliseconds since the epoch. */
export function clfTime(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== clfSecond) {
    clfSecond = second;
    clfText = format(new Date(second * 1000));
  }
  return clfText;
}

let isoSecond = Number.NaN;
let isoPrefix = "";
let isoMillisecond = Number.NaN;
let isoText = "";

/** `2026-11-22T22:15:18.123Z`; `time` in milliseconds since the epoch. */
export function isoTime(time: number): string {
  const whole = Math.floor(time);
  if (whole === isoMillisecond) return isoText;
  const second = Math.floor(whole / 1000);
  if (second !== isoSecond) {
    isoSecond = second;
    isoPrefix = new Date(second * 1000).toISOString().slice(0, -4);
  }
  isoMillisecond = whole;
  isoText = `${isoPrefix}${String(whole - second * 1000).padStart(3, "0")}Z`;
  return isoText;
}

function format(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const east = -date.getTimezoneOffset();
  const zone = `${east < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  return `[${day}:${clock} ${zone}]`;
}
