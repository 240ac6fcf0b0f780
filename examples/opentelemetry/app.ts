/** An app with a span of its own inside the one of the request. */
import { setTimeout as pause } from "node:timers/promises";
import { trace } from "@opentelemetry/api";
import type { Handler } from "tsgun";

const tracer = trace.getTracer("shop");

export const handler: Handler = async (request, respond) => {
  if (request.path === "/broken") throw new Error("out of stock");
  const text = await tracer.startActiveSpan("look up", async (span) => {
    await pause(5);
    span.end();
    return `Hello from ${request.path}\n`;
  });
  respond(200, { "content-type": "text/plain" }, text);
};
