/**
 * Sends commands with the official client, all in one tick, and prints what became of them.
 *
 * Reads JSON from the standard input: `{url, transports, namespace, auth, commands, connects,
 * binary}`. Each command is `[name, payload]`; with `binary`, the payload's `text` is sent as a
 * buffer. `connects` is how often the socket connects at once. Prints `{answers, transport,
 * connected, reason, active}`.
 */

import { readFileSync } from "node:fs";
import { Manager } from "socket.io-client";

const ask = JSON.parse(readFileSync(0, "utf8"));
const manager = new Manager(ask.url, { transports: ask.transports, autoConnect: false });
const socket = manager.socket(ask.namespace, { auth: ask.auth });
const told = { connected: 0, reason: null };
socket.on("connect", () => (told.connected += 1));
const ended = new Promise((resolve) => {
  socket.on("disconnect", (reason) => resolve((told.reason = reason)));
  socket.on("connect_error", (error) => resolve((told.reason = error.data ?? error.message)));
});
const synced = new Promise((resolve) => socket.once("synced", resolve));

await new Promise((resolve) => manager.open(resolve));
const upgraded = new Promise((resolve) => manager.engine.once("upgrade", resolve));
for (let count = 0; count < (ask.connects ?? 1); count += 1) socket.connect();
await Promise.race([synced, ended]);
if (ask.upgraded) await upgraded;

const payload = (given) => (ask.binary ? { ...given, text: Buffer.from(given.text) } : given);
const answers = told.reason
  ? []
  : ask.commands.map(([name, given]) => socket.emitWithAck(name, payload(given)));
const all = await Promise.race([Promise.all(answers), ended.then(() => [])]);
const transport = manager.engine.transport.name;
await new Promise((resolve) => setTimeout(resolve, ask.watched_ms ?? 0));
console.log(JSON.stringify({ answers: all, transport, active: socket.active, ...told }));
manager.engine.close();
process.exit(0);
