import { createHash } from "node:crypto";
import type { APIRoute } from "astro";

export const POST: APIRoute = async ({ request }) => {
  const hash = createHash("sha256");
  for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) hash.update(piece);
  return new Response(hash.digest("hex"));
};
