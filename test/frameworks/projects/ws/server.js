import { createHash } from "node:crypto";
import { WebSocketServer } from "ws";

const wss = new WebSocketServer({ port: 8080 });

wss.on("connection", (ws) => {
  ws.on("error", console.error);
  ws.send(`ws page ${process.pid}`);
  ws.on("message", (data, isBinary) => {
    if (isBinary) ws.send(createHash("sha256").update(data).digest("hex"));
    else if (String(data) !== "stream") ws.send(String(data));
    else {
      let number = 0;
      const timer = setInterval(() => {
        number += 1;
        ws.send(`piece ${number}`);
        if (number === 5) clearInterval(timer);
      }, 100);
    }
  });
});

process.on("SIGTERM", () => {
  for (const ws of wss.clients) ws.close(1001, "going away");
  wss.close(() => console.log("shutdown hook of ws"));
});
