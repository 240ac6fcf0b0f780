const { createHash } = require("node:crypto");
const { Server } = require("socket.io");

const io = new Server({ transports: ["websocket"], maxHttpBufferSize: 1e8 });

io.on("connection", (socket) => {
  socket.emit("page", `Socket.IO page ${process.pid}`);
  socket.on("echo", (text, reply) => reply(text));
  socket.on("upload", (content, reply) => reply(createHash("sha256").update(content).digest("hex")));
  socket.on("stream", () => {
    let number = 0;
    const timer = setInterval(() => {
      number += 1;
      socket.emit("piece", `piece ${number}`);
      if (number === 5) clearInterval(timer);
    }, 100);
  });
});

io.listen(3000);

process.on("SIGTERM", () => {
  io.close(() => console.log("shutdown hook of Socket.IO"));
});
