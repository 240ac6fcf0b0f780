/**
 * The responses that clients received, as text. Run with `node --import @oxc-node/core/register` it prints the table.
 */
import { type CorpusCase, readCorpus } from "./corpus.ts";
import { ask, each, KINDS, MANNERS, type Received, startServer } from "./servers.ts";

/** The statuses of the responses, and whether the connection stays open. */
export function outcome(received: Received | undefined): string {
  if (received === undefined) return "nothing";
  return [...received.statuses, received.closed ? "closed" : "open"].join(" ");
}

function endingOf({ ending, partial }: CorpusCase): string {
  if (typeof ending === "string") return ending;
  return `${partial === undefined ? "refused" : "content refused"} ${ending.refused}`;
}

/** One line per kind of case: their number, the responses, and the longest time that a client waited. */
export function tableOf(corpus: readonly CorpusCase[], received: readonly Received[]): string {
  const groups = new Map<string, { cases: number; slowest: number; outcomes: Map<string, number> }>();
  for (const [at, item] of corpus.entries()) {
    const one = received[at] as Received;
    const ending = endingOf(item);
    const group = groups.get(ending) ?? { cases: 0, slowest: 0, outcomes: new Map() };
    groups.set(ending, group);
    group.cases += 1;
    group.slowest = Math.max(group.slowest, one.after);
    const last = [one.statuses.at(-1) ?? "nothing", one.closed ? "closed" : "open"].join(" ");
    group.outcomes.set(last, (group.outcomes.get(last) ?? 0) + 1);
  }
  return [...groups]
    .sort()
    .map(([ending, { cases, slowest, outcomes }]) => {
      const counts = [...outcomes].sort((a, b) => b[1] - a[1]).map(([last, count]) => `${count} × ${last}`);
      return `${ending.padEnd(20)} ${String(cases).padStart(4)} cases, ${slowest.toFixed().padStart(5)} ms at most: ${counts.join(", ")}`;
    })
    .join("\n");
}

if (process.argv[1] === import.meta.filename) {
  const corpus = readCorpus();
  for (const kind of KINDS) {
    for (const manner of MANNERS) {
      const server = await startServer(kind, manner);
      const received = await each(corpus, (item) => ask(server.port, item));
      console.log(`\n== a ${kind} app that ${manner}\n${tableOf(corpus, received)}`);
      server.close();
    }
  }
}
