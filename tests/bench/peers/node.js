// A minimal chat server: Socket.IO on Node, without storage or authorization.
const { createServer } = require("http");
const { Server } = require("socket.io");

const [port] = process.argv.slice(2);
const http = createServer();
const chat = new Server(http, { perMessageDeflate: false }).of("/chat");

chat.on("connection", (socket) => {
  socket.on("join", ({ room }, answer) => {
    socket.join(room);
    answer({ ok: true });
  });
  socket.on("send", (message, answer) => {
    chat.to(message.room).emit("message", message);
    answer({ ok: true });
  });
});
http.listen(Number(port), "127.0.0.1", 4096);
