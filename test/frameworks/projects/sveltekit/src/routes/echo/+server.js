import { json } from "@sveltejs/kit";

export async function POST({ request }) {
  const { text } = await request.json();
  return json({ text, pid: process.pid });
}
