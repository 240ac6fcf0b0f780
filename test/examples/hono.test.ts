import { exampleOf } from "../support/example.ts";
import { testNotesApp } from "../support/notes-app.ts";

testNotesApp({
  name: "Hono",
  example: () => exampleOf("hono"),
  mayDiffer: [
    // Framing is not Hono's: the server under it decides whether an answer of unknown length comes in chunks.
    { field: "content-length" },
    { field: "transfer-encoding" },
    // That of a Response with text is `text/plain;charset=UTF-8`, as the Fetch standard has it; @hono/node-server
    // puts a class of its own in place of Response, which writes it with a blank.
    { field: "content-type", what: /compress|brotli/ },
  ],
});
