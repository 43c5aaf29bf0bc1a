/**
 * The official client in /chat, controlled by lines of its input.
 *
 * Arguments: the server's URL, the transports with commas, a token, the local address, and
 * "cookies" to keep cookies. Reads `[command, payload]` from its input, one at a time; writes
 * `[name, data, meta]` for events, answers, connects and disconnects.
 */

import { Agent } from "node:https";
import { createInterface } from "node:readline";
import { Manager } from "socket.io-client";

const [url, transports, token, localAddress, cookies] = process.argv.slice(2);
const write = (...record) => process.stdout.write(`${JSON.stringify(record)}\n`);
const heads = {};
const auth = { token };

const manager = new Manager(url, {
  transports: transports.split(","),
  agent: new Agent({ localAddress }),
  withCredentials: cookies === "cookies",
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
});
const chat = manager.socket("/chat", { auth: (give) => give(auth) });

/** Keeps the epoch and the last numbers, which the client sends when it reconnects. */
function remember(name, data, meta) {
  if (name === "synced") {
    for (const [room, { seq }] of Object.entries(data.rooms)) heads[room] = seq;
    Object.assign(auth, { epoch: data.epoch, since: heads });
  } else if (meta?.seq !== undefined) heads[meta.room] = meta.seq;
}

chat.onAny((name, data, meta) => {
  remember(name, data, meta);
  write(name, data, meta);
});
chat.on("connect_error", ({ message, data }) => write("refused", { message, data }));
chat.on("disconnect", (reason) => write("gone", reason));
manager.on("open", () => {
  const { engine } = manager;
  engine.on("upgrade", ({ name }) => write("transport", name));
  write("transport", engine.transport.name);
});
for await (const line of createInterface({ input: process.stdin })) {
  chat.emit(...JSON.parse(line), (answer) => write("answer", answer));
}

// Disconnects cleanly. With a websocket, Node then exits by itself; a pending poll would delay it.
const { engine } = manager;
engine.once("close", () => {
  if (engine.transport.name === "polling") engine.transport.once("drain", () => process.exit());
});
chat.disconnect();
