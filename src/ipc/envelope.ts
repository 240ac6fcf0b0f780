/**
 * Tells our messages from those of the app on the same channel: programs written for PM2 or node:cluster send messages of
 * their own (`process.send("ready")`), and listen for some.
 */

const KEY = "tsgun";

interface Envelope<Message> {
  readonly [KEY]: Message;
}

export function seal<Message>(message: Message): Envelope<Message> {
  return { [KEY]: message };
}

/** Returns the message; undefined for a message of the app. */
export function unseal<Message>(received: unknown): Message | undefined {
  if (typeof received !== "object" || received === null) return undefined;
  return (received as Partial<Envelope<Message>>)[KEY];
}
