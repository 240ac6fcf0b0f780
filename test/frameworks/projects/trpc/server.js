import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { initTRPC } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { octetInputParser } from "@trpc/server/http";
import { z } from "zod";

const t = initTRPC.create();

const appRouter = t.router({
  page: t.procedure.query(() => `tRPC page ${process.pid}`),
  echo: t.procedure.input(z.object({ text: z.string() })).mutation(({ input }) => input),
  upload: t.procedure.input(octetInputParser).mutation(async ({ input }) => {
    const hash = createHash("sha256");
    for await (const piece of input) hash.update(piece);
    return hash.digest("hex");
  }),
  stream: t.procedure.subscription(async function* () {
    for (let number = 1; number <= 5; number += 1) {
      yield `piece ${number}`;
      await pause(100);
    }
  }),
});

const server = createHTTPServer({ router: appRouter });

server.listen(2022);

process.on("SIGTERM", () => server.close(() => console.log("shutdown hook of the server")));
