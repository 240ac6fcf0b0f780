import { setTimeout as pause } from "node:timers/promises";

export function GET() {
  const body = new ReadableStream({
    async start(controller) {
      for (let number = 1; number <= 5; number += 1) {
        controller.enqueue(new TextEncoder().encode(`piece ${number}\n`));
        await pause(100);
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/plain" } });
}
