/** Input on an upgraded connection reaches the app, however late it reads. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand, temporaryFolder, until } from "../support/command.ts";

const SIZE = 4 * 1024 ** 2;
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n";

describe("an app that closes its sending side and reads late gets all input", {
  concurrency: true,
}, () => {
  for (const app of ["faults/late-reader.mjs:app", "faults/late-reader.mjs:server"]) {
    test(app, async (context) => {
      const path = join(temporaryFolder(context), "app.sock");
      const command = startCommand(context, [app, "-b", `unix:${path}`, "-b", "127.0.0.1:0"]);
      await command.ready();
      const clients = [connect(path), connect(await command.port(), "127.0.0.1")];
      for (const client of clients) {
        context.after(() => client.destroy());
        client.write(UPGRADE);
        await once(client, "data");
        client.write(Buffer.alloc(SIZE));
      }
      await until(
        "all has been read",
        async () => Number((await ask({ path })).text) === clients.length * SIZE,
        60_000,
      );
      assert.deepEqual(command.lines(/ERROR/), []);
    });
  }
});
