/** The client's lists of commands match the generated contracts. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { CHANGING } from "../../static/client/parley.js";
import { FOR_VISITORS } from "../../static/client/parley/commands.js";
import { words } from "../../static/client/words.js";

let contracts;
before(async () => {
  const file = new URL("../../static/client/contracts.d.ts", import.meta.url);
  contracts = await readFile(file, "utf8");
});

/** The generated text between two lines. */
const between = (start, end) => {
  const from = contracts.indexOf(start);
  return contracts.slice(from, contracts.indexOf(end, from));
};

/** Every command as [namespace, command, name of its payload]. */
function commands() {
  let namespace = "";
  return between("export interface Commands {", "\n}").split("\n").flatMap((line) => {
    namespace = /^ {2}"(\/[a-z-]+)": \{/.exec(line)?.[1] ?? namespace;
    const [, name, payload] = /^ {4}(\w+): \{ payload: (\w+);/.exec(line) ?? [];
    return name ? [[namespace, name, payload]] : [];
  });
}

test("CHANGING lists exactly the commands that take a request_id", () => {
  const takes = ([, , payload]) =>
    between(`export interface ${payload} {`, "}").includes("request_id?");
  const named = ([namespace, name]) => `${namespace} ${name}`;
  const expected = commands().filter(takes).map(named).filter((name) => name !== "/chat send");
  const listed = Object.entries(CHANGING)
    .flatMap(([namespace, names]) => names.map((name) => `${namespace} ${name}`));
  assert.ok(expected.length > 20);
  assert.deepEqual(listed.sort(), expected.sort());
});

test("every namespace that is open to visitors has a watch command", () => {
  const known = new Set(commands().map(([namespace, name]) => `${namespace} ${name}`));
  for (const namespace of FOR_VISITORS) assert.ok(known.has(`${namespace} watch`));
});

test("a code without a text in the page shows the message of the server", () => {
  const message = "Greet somebody else.";
  assert.equal(words({ code: "TALKS_TO_ONESELF", message }), message);
  assert.notEqual(words({ code: "NOT_FOUND", message }), message);
  assert.equal(words({ code: "TALKS_TO_ONESELF" }), words({ code: "" }));
});
