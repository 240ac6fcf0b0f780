/** One of the servers behind nginx.conf; INSTANCE says which. */
import { defineConfig } from "tsgun";

export default defineConfig(() => ({
  app: "app.ts:app",
  bind: `unix:run/app-${process.env.INSTANCE ?? "1"}.sock`,
  // Whoever may write to the socket's file may speak to the app: you and your group, and nobody else.
  socketMode: "660",
  workers: 2,
  limitRequestBody: "10MB",
}));
