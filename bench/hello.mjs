// examples/hello as plain JavaScript, so that no compiler has a part in its start.
export const handler = (_request, respond) => {
  respond(200, { "content-type": "text/plain; charset=utf-8" }, "Hello, world\n");
};
