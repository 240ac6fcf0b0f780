import { createHash } from "node:crypto";
import type { NextRequest } from "next/server";

export async function PUT(
  request: NextRequest,
  { params }: { params: Promise<{ name: string }> },
): Promise<Response> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return Response.json({ name: (await params).name, size, sha256: hash.digest("hex") });
}
