import { createRequestHandler } from "@react-router/express";
import express from "express";

const PORT = Number.parseInt(process.env.PORT || "3000", 10);

const app = express();

app.disable("x-powered-by");
app.use("/assets", express.static("build/client/assets", { immutable: true, maxAge: "1y" }));
app.use(express.static("build/client", { maxAge: "1h" }));
app.all("/{*splat}", createRequestHandler({ build: await import("./build/server/index.js") }));

const server = app.listen(PORT, () => {
  console.log(`Server is running on http://localhost:${PORT}`);
});

process.on("SIGTERM", () => server.close(() => console.log("shutdown hook of the server")));
