export function load() {
  return { pid: process.pid };
}
