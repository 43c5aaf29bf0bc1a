/** A Socket.IO server for tests, which define its answers and refusals. */

import { createServer } from "node:http";
import { once } from "node:events";
import { Server } from "socket.io";
import { Parley } from "../../static/client/parley.js";

export const ADA = { id: "ada", first_name: "Ada", last_name: "Lovelace", roles: [] };
export const BEN = { id: "ben", first_name: "Ben", last_name: "Franklin", roles: [] };

/** @param {number} number */
export const sessionNumber = (number, access_expires_in_s = 900, user = ADA) => ({
  access_token: `access-${number}`, refresh_token: `refresh-${number}`,
  access_expires_in_s, user,
});

/** Waits for conditions, which are checked after each change. */
class Watched {
  #checks = new Set();

  happened() {
    for (const check of this.#checks) check();
  }

  until(condition) {
    return new Promise((resolve) => {
      const check = () => {
        const value = condition();
        if (!value) return;
        this.#checks.delete(check);
        resolve(value);
      };
      this.#checks.add(check);
      check();
    });
  }
}

export class FakeServer extends Watched {
  connects = [];
  asked = [];
  /** @type {(asked: any) => any} Undefined means no answer. */
  answer = () => ({ ok: true, data: {} });
  /** @type {(connect: any) => string | undefined} The code of a refusal. */
  refuse = () => undefined;
  /** @type {(connect: any, socket: any) => void} */
  welcome = () => {};
  #clients = [];

  static async start() {
    const server = new FakeServer();
    server.http = createServer();
    server.io = new Server(server.http);
    server.io.of(/^\/.+/).use((socket, next) => server.#admit(socket, next))
      .on("connection", (socket) => server.#serve(socket));
    server.io.engine.on("connection", (one) => one.on("close", () => server.happened()));
    server.http.listen(0, "127.0.0.1");
    await once(server.http, "listening");
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  client(options = {}) {
    const io = { reconnectionDelay: 10, reconnectionDelayMax: 20, ...options.io };
    const client = new Parley(this.url, { ...options, io });
    this.#clients.push(client);
    return client;
  }

  /** A client that is signed in with the first session. */
  async signedIn(options = {}) {
    const usual = this.answer;
    this.answer = ({ command }) => command === "login" && { ok: true, data: sessionNumber(1) };
    const client = this.client(options);
    await client.login("ada@example.org", "correct horse");
    this.answer = usual;
    return client;
  }

  commands(name) {
    return this.asked.filter(({ command }) => command === name);
  }

  connectsTo(namespace) {
    return this.connects.filter((connect) => connect.namespace === namespace);
  }

  emit(namespace, event, data, meta) {
    this.io.of(namespace).emit(event, data, meta);
  }

  /** Closes every connection, like a lost network. */
  cut() {
    for (const socket of this.io.engine.clients ? Object.values(this.io.engine.clients) : []) {
      socket.transport.close();
      socket.close(true);
    }
  }

  async stop() {
    for (const client of this.#clients) client.close();
    await this.io.close();
  }

  #admit(socket, next) {
    const connect = { namespace: socket.nsp.name, auth: socket.handshake.auth };
    this.connects.push(connect);
    this.happened();
    const code = this.refuse(connect);
    next(code ? Object.assign(new Error(code), { data: { code } }) : undefined);
  }

  #serve(socket) {
    const namespace = socket.nsp.name;
    this.welcome({ namespace, auth: socket.handshake.auth }, socket);
    socket.onAny(async (command, payload, ack) => {
      const asked = { namespace, command, payload };
      this.asked.push(asked);
      this.happened();
      const answer = await this.answer(asked);
      if (answer && ack) ack(answer);
    });
  }
}

/** Records calls of `note`, and lets a test wait for them. */
export class Heard extends Watched {
  all = [];
  note = (...said) => {
    this.all.push(said.length === 1 ? said[0] : said);
    this.happened();
  };

  count(number) {
    return this.until(() => this.all.length >= number && this.all);
  }
}
