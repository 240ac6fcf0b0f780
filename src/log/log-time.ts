/** Times of day for logs, made once for all lines of a second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let madeSecond = Number.NaN;
let made = "";

/** `[22/Nov/2026:22:15:18 +0000]`: local time with its distance from UTC; `time` in milliseconds since the epoch. */
export function clfTime(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== madeSecond) {
    madeSecond = second;
    made = format(new Date(second * 1000));
  }
  return made;
}

let isoSecond = Number.NaN;
let isoMade = "";

/** `2026-11-22T22:15:18.123Z`; `time` in milliseconds since the epoch. */
export function isoTime(time: number): string {
  const whole = Math.floor(time);
  const second = Math.floor(whole / 1000);
  if (second !== isoSecond) {
    isoSecond = second;
    isoMade = new Date(second * 1000).toISOString().slice(0, -4);
  }
  return `${isoMade}${String(whole - second * 1000).padStart(3, "0")}Z`;
}

function format(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const east = -date.getTimezoneOffset();
  const zone = `${east < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  return `[${day}:${clock} ${zone}]`;
}
