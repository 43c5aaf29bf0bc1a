/** A device token outlasts the session, and is sent only for its own account. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BEN, FakeServer, sessionNumber } from "./fake_server.mjs";
import { Devices } from "../../static/client/parley/devices.js";
import { inMemory } from "../../static/client/parley/tokens.js";

const ANA = { id: "ana", email: "ana@example.org" };
const session = (user, device_token) => ({ ...sessionNumber(1, 900, user), device_token });
const asked = (server, command) => server.asked.filter((one) => one.command === command).at(-1);

let server;
before(async () => (server = await FakeServer.start()));
after(() => server.stop());

test("the device token is sent again after signing out, for the same account only", async () => {
  const storage = inMemory();
  const client = server.client({ storage });
  server.answer = () => ({ ok: true, data: session(ANA, "token of ana") });
  await client.login("Ana@example.org", "correct horse");
  assert.equal(asked(server, "login").payload.device_token, undefined);
  await client.logout();
  await client.login(" ANA@example.org", "correct horse");
  assert.equal(asked(server, "login").payload.device_token, "token of ana");
  await client.logout();
  await client.forgotPassword("ana@example.org");
  assert.equal(asked(server, "forgot").payload.device_token, "token of ana");
  await client.login("ben@example.org", "correct horse");
  assert.equal(asked(server, "login").payload.device_token, undefined, "Ana's is not Ben's");
  client.close();
});

test("tokens of the latest accounts are kept; a session without one changes nothing", () => {
  const devices = new Devices(inMemory());
  assert.deepEqual(devices.latest(), {});
  for (let n = 0; n < 25; n++) devices.keep(session({ email: `p${n}@example.org` }, `t${n}`));
  devices.keep(session(BEN, undefined));
  assert.deepEqual(devices.latest(), { device_token: "t24" });
  assert.deepEqual(devices.of("p5@example.org"), { device_token: "t5" });
  assert.deepEqual(devices.of("p4@example.org"), {});
});

test("malformed contents of the storage are ignored", () => {
  const storage = inMemory();
  for (const odd of ["{", "7", "{\"a\":1}"]) {
    storage.setItem("parley.devices", odd);
    assert.deepEqual(new Devices(storage).of("ana@example.org"), {});
  }
});
