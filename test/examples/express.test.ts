import { exampleOf } from "../support/example.ts";
import { testNotesApp } from "../support/notes-app.ts";

testNotesApp({ name: "Express", example: () => exampleOf("express") });
