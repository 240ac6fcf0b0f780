/** The responses that a server makes itself, as the app dresses them (gateway section 11.7). */
import { Buffer } from "node:buffer";
import { GatewayError, thrownError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { rawFields } from "../gateway/fields.ts";
import { REASONS } from "../gateway/statuses.ts";
import type { App, ServerAnswer } from "../gateway/types.ts";
import { keepFinalFields } from "./response-rules.ts";

/** Fields and content of a response of the server. */
export interface DressedAnswer {
  /** Alternating names and values, without those of framing and the connection. */
  readonly fields: string[];
  readonly content: string | Uint8Array;
}

/** Dresses a response of the server; undefined leaves it as it is. Never throws. */
export type DressAnswer = (answer: ServerAnswer) => DressedAnswer | undefined;

/**
 * Makes the function that has the app dress responses; undefined if the app does not.
 *
 * @param onError reports what the app throws, or gives wrong; the response is sent undressed then
 */
export function answerDresser(
  app: App,
  onError: (error: Error, answer: ServerAnswer) => void,
): DressAnswer | undefined {
  if (app.onServerAnswer === undefined) return undefined;
  return (answer) => {
    try {
      return dressed(app, answer);
    } catch (error) {
      onError(thrownError(error), answer);
      return undefined;
    }
  };
}

function dressed(app: App, answer: ServerAnswer): DressedAnswer | undefined {
  const dress = app.onServerAnswer?.(answer);
  if (dress === undefined || dress === null) return undefined;
  if (typeof dress !== "object" || "then" in dress)
    throw new GatewayError(
      clause.serverAnswer,
      "onServerAnswer returns an object with headers and body, at once",
    );
  const { headers, body = plainContent(answer.status) } = dress;
  const content = body ?? "";
  if (typeof content !== "string" && !(content instanceof Uint8Array))
    throw new GatewayError(clause.serverAnswer, `the body of onServerAnswer cannot be a ${typeof content}`);
  const fields = keepFinalFields(rawFields(headers));
  const hasType = fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === "content-type");
  if (dress.body === undefined && !hasType) fields.push("Content-Type", PLAIN_TYPE);
  return { fields, content };
}

export const PLAIN_TYPE = "text/plain; charset=utf-8";

/** The content of a response that nobody has dressed. */
export function plainContent(status: number): string {
  return `${status} ${REASONS[status] ?? "Error"}\n`;
}

/** The length of content in bytes. */
export function lengthOf(content: string | Uint8Array): number {
  return typeof content === "string" ? Buffer.byteLength(content) : content.length;
}
