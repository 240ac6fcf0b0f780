import { createHash } from "node:crypto";

export default defineEventHandler(async (event) => {
  const hash = createHash("sha256");
  const content = getRequestWebStream(event);
  for await (const piece of content as unknown as AsyncIterable<Uint8Array>) hash.update(piece);
  return hash.digest("hex");
});
