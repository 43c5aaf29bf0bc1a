/** What the page's modules find in a browser, as far as they need it under test. */

import { FakeServer } from "./fake_server.mjs";

/** A server, and the page's one connection to it; to be asked for before any of its modules. */
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

/** Lets everything go on that waits for nothing. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
