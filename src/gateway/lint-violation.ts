/** The errors of lint: each names the broken clause of docs/gateway.md. */
import { GatewayError } from "../errors.ts";

export function violation(clause: string, message: string): GatewayError {
  return new GatewayError(`section ${clause}`, message);
}

/** Throws a violation of `clause` unless `holds`. */
export function assertClause(holds: boolean, clause: string, message: string): asserts holds {
  if (!holds) throw violation(clause, message);
}

/** Formats a value for a message in at most 60 characters. */
export function formatValue(value: unknown): string {
  // Not String(value), which throws for an object without a prototype.
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
