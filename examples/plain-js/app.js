/** An ES module in plain JavaScript; the comment below types it for editors. */

/** @type {import("tsgun").Handler} */
export const handler = (request, respond) => {
  respond(200, { "content-type": "text/plain; charset=utf-8" }, `Hello from an ES module, ${request.path}\n`);
};
