// Rendered for each request, not at build time.
export const dynamic = "force-dynamic";

export function GET(): Response {
  return new Response("All is well.\n".repeat(2000), { headers: { "content-type": "text/plain" } });
}
