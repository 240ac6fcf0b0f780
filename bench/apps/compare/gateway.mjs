/** The app of `npm run compare` for tsgun's own engine. */
export function handler(request, respond) {
  if (request.path === "/block") for (;;);
  respond(200, {}, `ok ${request.worker.pid}`);
}
