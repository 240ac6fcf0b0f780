import { createHash } from "node:crypto";
import type { NextRequest } from "next/server";

export async function POST(request: NextRequest): Promise<Response> {
  const form = await request.formData();
  const file = form.get("file") as File;
  const sha256 = createHash("sha256")
    .update(new Uint8Array(await file.arrayBuffer()))
    .digest("hex");
  return Response.json({ title: form.get("title"), name: file.name, size: file.size, sha256 });
}
