// Socket.IO on Node that stores each message in SQLite before sending it, without authorization.
const { createServer } = require("http");
const Database = require("better-sqlite3");
const { Server } = require("socket.io");

const [port, synchronous, file] = process.argv.slice(2);
const database = new Database(file);
database.pragma("journal_mode = WAL");
database.pragma(`synchronous = ${synchronous}`);
database.exec(
  "CREATE TABLE message (seq INTEGER PRIMARY KEY, room TEXT, sender TEXT, id TEXT UNIQUE," +
    " body TEXT, at INTEGER)",
);
const insert = database.prepare(
  "INSERT INTO message (room, sender, id, body, at) VALUES (?, ?, ?, ?, ?)",
);

const http = createServer();
const chat = new Server(http, { perMessageDeflate: false }).of("/chat");

chat.on("connection", (socket) => {
  socket.on("join", ({ room }, answer) => {
    socket.join(room);
    answer({ ok: true });
  });
  socket.on("send", (message, answer) => {
    const { room, id, text } = message;
    const { lastInsertRowid } = insert.run(room, socket.id, id, text, Date.now());
    const seq = Number(lastInsertRowid);
    chat.to(room).emit("message", { ...message, seq });
    answer({ ok: true, seq });
  });
});
http.listen(Number(port), "127.0.0.1", 4096);
