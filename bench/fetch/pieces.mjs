export async function* pieces() {
  for (let piece = 0; piece < 100; piece += 1) yield `piece ${piece} of the answer\n`;
}

export const handler = (_request, respond) => respond(200, { "Content-Type": "text/plain" }, pieces());
