/** Says back what it was asked, and which release on which host answers. */
import { basename } from "node:path";
import type { Handler } from "tsgun";

const SAYS_WHO = {
  "content-type": "application/octet-stream",
  "x-host": process.env.ADDRESS ?? "",
  // The server has gone into releases/NAME, which `current` led to when this worker was started.
  "x-release": basename(process.cwd()),
};

export const handler: Handler = async (request, respond) => {
  const content = await request.body.bytes();
  respond(200, SAYS_WHO, Buffer.concat([Buffer.from(`${request.method} ${request.target}\n`), content]));
};
