import { setTimeout as pause } from "node:timers/promises";
import type { NextRequest } from "next/server";

export function GET(request: NextRequest): Response {
  const { to, pause: milliseconds = 0 } = Object.fromEntries(request.nextUrl.searchParams);
  const encoder = new TextEncoder();
  let number = 0;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      number += 1;
      if (number > Number(to)) return controller.close();
      controller.enqueue(encoder.encode(`${number}\n`));
      if (Number(milliseconds) > 0) await pause(Number(milliseconds));
    },
  });
  return new Response(stream, { headers: { "content-type": "text/plain" } });
}
