/** Sends requests to an app of `fixtures/scopes` over one connection, and checks that each sees only the store that it entered. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { RawClient } from "./engine.ts";

/** The apps, each served as its kind is. */
export const SCOPE_APPS = ["gateway.mjs:handler", "fetch.mjs", "listener.cjs", "express.mjs:app"] as const;

function post(name: string, content: string): string {
  return `POST /?${name} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n${content}`;
}

export async function checkRequestScopes(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const client = new RawClient(socket);
  const answered = (name: string): Promise<string> =>
    client.until(
      (text) => new RegExp(`(?:timer|content|stream) ${name}\\n`).test(text),
      `the answer to ${name}`,
    );
  // Content that comes later, one request after the other, and several in one piece.
  client.send(post("ann", ""));
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.send("ab");
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.send("cd");
  await answered("ann");
  client.send(post("bob", "abcd"));
  await answered("bob");
  client.send(post("cat", "abcd") + post("dan", "abcd") + post("eve", "ab"));
  await answered("dan");
  client.send("cd");
  const text = await answered("eve");
  const found = [...text.matchAll(/^(\w+) (\w+)$/gm)].map((line) => line.slice(1, 3) as [string, string]);
  const names = ["ann", "bob", "cat", "dan", "eve"];
  assert.deepEqual(
    found.filter(([place]) => place === "start"),
    names.map(() => ["start", "undefined"]),
    "a request finds what another one entered",
  );
  let current = -1;
  for (const [place, name] of found) {
    if (place === "start") current += 1;
    else assert.deepEqual([place, name], [place, names[current]]);
  }
  for (const name of names) assert.ok(found.filter(([, each]) => each === name).length >= 1, name);
  socket.destroy();
}
