/** The same app on Node's own server: a gateway app does not depend on tsgun. */
import { createServer } from "node:http";
import { toNodeListener } from "tsgun/node";
import { app } from "./app.ts";

const listener = toNodeListener(app);
await listener.ready;
listener.attach(createServer()).listen(Number(process.env.PORT ?? 3000));
