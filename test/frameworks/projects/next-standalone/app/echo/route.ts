export async function POST(request: Request): Promise<Response> {
  const { text } = (await request.json()) as { text: string };
  return Response.json({ text, pid: process.pid });
}
