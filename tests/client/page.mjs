/** The parts of a browser that the page's modules need in tests. */

import { FakeServer } from "./fake_server.mjs";

/** Starts a server and the page's client; call it before importing the page's modules. */
export async function openPage() {
  const server = await FakeServer.start();
  globalThis.location = { origin: server.url, hash: "" };
  globalThis.addEventListener = () => {};
  const { parley } = await import("../../static/client/state.js");
  const close = async () => {
    parley.close();
    await server.stop();
  };
  return { server, parley, close };
}

/** @param {import("../../static/client/parley.js").Parley} parley */
export async function signIn(server, parley, session) {
  const usual = server.answer;
  server.answer = (asked) =>
    (asked.command === "login" ? { ok: true, data: session } : usual(asked));
  await parley.login("somebody@example.org", "correct horse");
  server.answer = usual;
}

/** Resolves after all callbacks that are ready have run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
