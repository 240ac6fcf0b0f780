/** gunicorn's levels (Python's). */
export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";
