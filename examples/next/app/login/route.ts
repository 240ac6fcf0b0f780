import { type NextRequest, NextResponse } from "next/server";

export async function POST(request: NextRequest): Promise<Response> {
  const name = String((await request.formData()).get("name"));
  const response = new NextResponse(null, { status: 303, headers: { location: "/" } });
  response.cookies.set("name", name, { httpOnly: true });
  response.cookies.set("theme", "dark", { maxAge: 86_400 });
  return response;
}
