// examples/hello as plain JavaScript: a start does not include a compiler.
export const handler = (_request, respond) => {
  respond(200, { "content-type": "text/plain; charset=utf-8" }, "Hello, world\n");
};
