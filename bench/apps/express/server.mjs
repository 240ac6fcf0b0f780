// The app listens, as in Express's documentation.
import { app } from "./app.mjs";

app.listen(Number(process.env.PORT), "127.0.0.1");
