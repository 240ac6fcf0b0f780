/** CommonJS with a factory: the handler greets its argument. */

/** @type {(name: string) => import("tsgun").Handler} */
exports.create = (name) => (_request, respond) => {
  respond(200, { "content-type": "text/plain; charset=utf-8" }, `Hello ${name}, from CommonJS\n`);
};
