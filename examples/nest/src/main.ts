/** Runs the app without tsgun. */
import { create } from "./app.ts";

const app = await create();
await app.listen(Number(process.env.PORT ?? 3000));
