import { setTimeout as pause } from "node:timers/promises";

export default defineEventHandler((event) => {
  setHeader(event, "content-type", "text/plain");
  return new ReadableStream({
    async start(controller) {
      for (let number = 1; number <= 5; number += 1) {
        controller.enqueue(new TextEncoder().encode(`piece ${number}\n`));
        await pause(100);
      }
      controller.close();
    },
  });
});
