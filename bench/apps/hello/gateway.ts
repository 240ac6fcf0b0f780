import type { Handler } from "../../../src/index.ts";

export const handler: Handler = (_request, respond) => {
  respond(200, { "content-type": "text/plain; charset=utf-8" }, "Hello, world\n");
};
