/** The servers of bench:balance and bench:blocked. */

/** The arguments to node of a server, with PORT for its port. */
export function serverArguments(server: string, build: string, workers: string): string[] {
  if (server === "cluster") return ["bench/balance/cluster.mjs", "PORT", workers];
  const app = `bench/balance/app.mjs:${server === "adopted" ? "server()" : server}`;
  const options = ["--workers", workers, "--bind", "127.0.0.1:PORT", "--log-level", "error"];
  return [`${build}/dist/cli/main.js`, app, ...options];
}

/** The value below which that share of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
