/** One of the servers behind nginx.conf; INSTANCE is its number. */
import { defineConfig } from "tsgun";

export default defineConfig(() => ({
  app: "app.ts:app",
  bind: `unix:run/app-${process.env.INSTANCE ?? "1"}.sock`,
  // Only those who may write to the socket file can connect: you and your group.
  socketMode: "660",
  workers: 2,
  limitRequestBody: "10MB",
}));
