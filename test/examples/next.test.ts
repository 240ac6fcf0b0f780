import { installedExample } from "../support/installed-example.ts";
import { testNotesApp } from "../support/notes-app.ts";

testNotesApp({
  name: "Next.js",
  example: (test) =>
    installedExample(test, {
      name: "next",
      app: "web.ts:create()",
      server: "server.ts",
      build: [["next", "build"]],
    }),
});
