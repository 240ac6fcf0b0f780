import type { APIRoute } from "astro";

export const POST: APIRoute = async ({ request }) => {
  const { text } = (await request.json()) as { text: string };
  return Response.json({ text, pid: process.pid });
};
