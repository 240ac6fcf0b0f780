import { createHash } from "node:crypto";

export async function POST(request: Request): Promise<Response> {
  const hash = createHash("sha256");
  for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) hash.update(piece);
  return new Response(hash.digest("hex"));
}
