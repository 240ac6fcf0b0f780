/** The errors of the interface, which others know by their names (docs/gateway.md, sections 2 and 11). */
import { inspect } from "node:util";

export function failure(name: string, message: string, status?: number): Error {
  return Object.assign(new Error(message), { name }, status === undefined ? {} : { status });
}
export const misuse = (message: string): Error => failure("GatewayError", message);
export const refusal = (status: number, message: string): Error => failure("BodyError", message, status);

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${inspect(thrown)}`, { cause: thrown });
}

export function statusOf(error: Error): number {
  const { name, status } = error as Error & { status?: unknown };
  const counts = name === "HttpError" || name === "BodyError";
  return counts && Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599
    ? Number(status)
    : 500;
}
