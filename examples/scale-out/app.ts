/** Echoes the request, and names the release and the host that respond. */
import { basename } from "node:path";
import type { Handler } from "tsgun";

const SAYS_WHO = {
  "content-type": "application/octet-stream",
  "x-host": process.env.ADDRESS ?? "",
  // The working folder is releases/NAME, which `current` pointed to when this worker started.
  "x-release": basename(process.cwd()),
};

export const handler: Handler = async (request, respond) => {
  const content = await request.body.bytes();
  respond(200, SAYS_WHO, Buffer.concat([Buffer.from(`${request.method} ${request.target}\n`), content]));
};
