/** The same app on node's own server: what is written for the gateway is not locked in. */
import { createServer } from "node:http";
import { toNodeListener } from "tsgun/node";
import { app } from "./app.ts";

const listener = toNodeListener(app);
await listener.ready;
listener.attach(createServer()).listen(Number(process.env.PORT ?? 3000));
