import { exampleOf } from "../support/example.ts";
import { testNotesApp } from "../support/notes-app.ts";

testNotesApp({ name: "Koa", example: () => exampleOf("koa") });
