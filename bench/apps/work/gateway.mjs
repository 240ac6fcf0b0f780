import { CONTENT, compute, query } from "./work.mjs";

const TEXT = { "content-type": "text/plain" };

export async function handler({ path }, respond) {
  if (path === "/compute") compute();
  else if (path === "/query") await query();
  respond(200, TEXT, CONTENT);
}
