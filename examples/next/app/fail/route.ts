export const dynamic = "force-dynamic";

export function GET(): never {
  throw new Error("no such luck");
}
