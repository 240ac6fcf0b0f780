import type { NextRequest } from "next/server";

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

export function GET(request: NextRequest): Response {
  const limit = Number(request.nextUrl.searchParams.get("limit") ?? NOTES.length);
  return Response.json(NOTES.slice(0, limit).map((text, index) => ({ id: index + 1, text })));
}

export async function POST(request: NextRequest): Promise<Response> {
  const { text } = (await request.json()) as { text: string };
  return Response.json({ id: NOTES.length + 1, text }, { status: 201 });
}
