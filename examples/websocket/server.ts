/** Runs the app without tsgun. */
import { server } from "./app.ts";

server.listen(Number(process.env.PORT ?? 3000));
