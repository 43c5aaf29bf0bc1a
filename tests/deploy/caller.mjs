/**
 * The official client in /chat, led line by line.
 *
 * Arguments: the server's URL, the transports with commas, a token, the address to come from, and
 * "cookies" to keep them. Reads `[command, payload]` from its input, one at a time; writes
 * `[name, data, meta]` for what it hears, among it its answers, and when it comes and goes.
 */

import { Agent } from "node:https";
import { createInterface } from "node:readline";
import { Manager } from "socket.io-client";

const [url, transports, token, localAddress, cookies] = process.argv.slice(2);
const tell = (...said) => process.stdout.write(`${JSON.stringify(said)}\n`);
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

/** From the first `synced` on it says, when it comes back, what it had heard. */
function remember(name, data, meta) {
  if (name === "synced") {
    for (const [room, { seq }] of Object.entries(data.rooms)) heads[room] = seq;
    Object.assign(auth, { epoch: data.epoch, since: heads });
  } else if (meta?.seq !== undefined) heads[meta.room] = meta.seq;
}

chat.onAny((name, data, meta) => {
  remember(name, data, meta);
  tell(name, data, meta);
});
chat.on("connect_error", ({ message, data }) => tell("refused", { message, data }));
chat.on("disconnect", (reason) => tell("gone", reason));
manager.on("open", () => {
  const { engine } = manager;
  engine.on("upgrade", ({ name }) => tell("transport", name));
  tell("transport", engine.transport.name);
});
for await (const line of createInterface({ input: process.stdin })) {
  chat.emit(...JSON.parse(line), (answer) => tell("answer", answer));
}

// It leaves in order. By websocket node then ends by itself; a poll under way would hold it up.
const { engine } = manager;
engine.once("close", () => {
  if (engine.transport.name === "polling") engine.transport.once("drain", () => process.exit());
});
chat.disconnect();
