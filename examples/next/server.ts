/** Runs the app without tsgun: the custom server of Next's guide. */
import { create } from "./web.ts";

const server = await create();
server.listen(Number(process.env.PORT ?? 3000));
