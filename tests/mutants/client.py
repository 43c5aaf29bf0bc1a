"""Mutants of the JavaScript client."""

from tests.mutants.mutant import Mutant

COMMANDS = "tests/client/commands.test.mjs"
SESSION = "tests/client/session.test.mjs"
STREAMS = "tests/client/streams.test.mjs"

MUTANTS = (
    Mutant(
        "The page shows an event twice",
        "static/client/parley/streams.js",
        '    if (last !== undefined && seq <= last) return "repeat";\n',
        "",
        (STREAMS,),
    ),
    Mutant(
        "The page does not notice that it missed events",
        "static/client/parley/streams.js",
        '    return last === undefined || seq === last + 1 ? "next" : "gap";',
        '    return "next";',
        (STREAMS,),
    ),
    Mutant(
        "The page reconnects without its last event numbers",
        "static/client/parley/namespace.js",
        "...this.streams.since() });",
        "});",
        (STREAMS,),
    ),
    Mutant(
        "A command whose answer was lost runs twice",
        "static/client/parley/asking.js",
        "emitWithAck(command, payload)",
        "emitWithAck(command, { ...payload, request_id: `${Math.random()}` })",
        (COMMANDS,),
    ),
    Mutant(
        "Two tabs that refresh the session at the same time end it",
        "static/client/parley/tokens.js",
        "  return locks ? locks.request(KEY, work) : work();",
        "  return work();",
        (SESSION,),
    ),
    Mutant(
        "A waiting message of one user is sent by the next user of the page",
        "static/client/parley.js",
        "      if (actor && actor !== this.#actor && !WITHOUT_TOKEN.includes(namespace)) {",
        "      if (false) {",
        (SESSION,),
    ),
    Mutant(
        "Watched objects send no events after a reconnect",
        "static/client/parley.js",
        "    for (const watch of this.#watches.of(namespace)) void this.#watchAgain(watch);\n",
        "",
        (STREAMS,),
    ),
    Mutant(
        "A refused message is lost",
        "static/client/platform/messages.js",
        "    outgoing.value = withRefusal(client_id, refusal);",
        "    takeOut(client_id);",
        ("tests/client/messages.test.mjs",),
    ),
)
