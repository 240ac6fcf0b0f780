export function register(): void {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  process.on("SIGTERM", () => console.log("shutdown hook of Next"));
}
