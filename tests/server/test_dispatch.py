"""Commands are found, authorised, limited, decoded, run and answered; each refusal has a code."""

import asyncio
import json
import threading

import pytest

from server.dispatch import has_nul
from tests.kit.probe import Switches, texts
from tests.wire_client import Refused
from tests.world import both_databases, one_database, until


@pytest.fixture
async def ana(world):
    ana = await world.person("ana")
    return await ana.enter("/probe")


async def ask_raw(client, text: str, number: int = 900):
    """Send the raw text of an event's arguments; returns the answer."""
    future = client._acks["/probe", number] = asyncio.get_running_loop().create_future()
    await client.ws.send_str(f"42/probe,{number}{text}")
    async with asyncio.timeout(2):
        return await future


@one_database
async def test_a_command_is_answered_with_its_view(ana):
    answer = await ana.client.ask("/probe", "echo", {"text": "here"})
    assert answer == {"ok": True, "data": {"text": "here", "at": "127.0.0.1"}}


async def test_a_command_without_an_ack_is_carried_out(ana, world):
    await ana.client.ws.send_str('42/probe,["say",{"text":"no answer wanted"}]')
    heard = await ana.event("PROBE_SAID")
    assert heard.data["text"] == "no answer wanted"


@one_database
@pytest.mark.parametrize("name", ["nonsense", "connect", "disconnect", "connect_error", "", "*"])
async def test_a_nonexistent_command_is_unknown(ana, switches, name):
    answer = await ana.client.ask("/probe", name, {})
    assert answer["error"]["code"] == "UNKNOWN_COMMAND"
    assert await ana.call("/probe", "echo", text="still in")


@one_database
async def test_a_command_of_another_namespace_is_unknown(ana):
    answer = await ana.client.ask("/probe", "me", {})
    assert answer["error"]["code"] == "UNKNOWN_COMMAND"


@one_database
@pytest.mark.parametrize(
    ("payload", "path", "expected"),
    [
        ({}, "$", "Object missing required field `text`"),
        ({"text": 7}, "$.text", "Expected `str`, got `int`"),
        ({"text": ""}, "$.text", "Expected `str` of length >= 1"),
        ({"text": "x", "count": 101}, "$.count", "Expected `int` <= 100"),
        ({"text": "x", "role": "admin"}, "$", "Object contains unknown field `role`"),
        ({"text": "x", "request_id": ""}, "$.request_id", "Expected `str` of length >= 1"),
        ({"text": "x", "request_id": "y" * 65}, "$.request_id", "Expected `str` of length <= 64"),
        ([], "$", "Expected `object`, got `array`"),
        (None, "$", "Expected `object`, got `null`"),
        ("text", "$", "Expected `object`, got `str`"),
    ],
)
async def test_a_wrong_payload_is_refused_with_its_path_and_expected_type(
    ana, payload, path, expected
):
    answer = await ana.client.ask("/probe", "say", payload)
    assert answer["error"]["code"] == "INVALID"
    assert answer["error"]["details"] == {"path": path, "expected": expected}


@one_database
@pytest.mark.parametrize(
    "arguments",
    [
        '["say"]',
        '["say",{"text":"x"},{"text":"y"}]',
        '["say",{"text":"\\ud800"}]',
        '["say",{"text":"x","count":1e999}]',
        '["say",{"text":"x","count":99999999999999999999999999}]',
        '["say",' + '{"text":' * 200 + "1" + "}" * 200 + "]",
    ],
    ids=["none", "two", "half a surrogate", "infinite", "too large", "nested deeply"],
)
async def test_a_malformed_payload_is_invalid(ana, arguments, logs):
    answer = await ask_raw(ana.client, arguments)
    assert answer["error"]["code"] == "INVALID"
    assert "Traceback" not in logs.getvalue()
    assert await ana.call("/probe", "echo", text="still in")


@one_database
async def test_nesting_as_deep_as_a_frame_allows_is_refused_without_a_traceback(ana, logs):
    await ana.client.ws.send_str("42/probe,901" + "[" * 60_000)
    await ana.client.ws.send_str(
        "42/probe,902" + '["echo",{"text":' + "[" * 30_000 + "]" * 30_000 + "}]"
    )
    assert await ana.call("/probe", "echo", text="still in")
    assert "Traceback" not in logs.getvalue()


@pytest.mark.parametrize("text", ["a\0b", "\0b"])
async def test_text_with_a_nul_character_is_invalid(ana, text):
    answer = await ana.client.ask("/probe", "say", {"text": text})
    assert answer["error"]["details"]["expected"] == "text without NUL characters"


def test_a_nul_character_is_found_wherever_it_is():
    for value in ({"a\0b": 1}, [{"a": ["\0"]}], "a\0"):
        assert has_nul(value)
    assert not has_nul({"a": [1, "b", None]})


async def test_text_about_nul_characters_is_accepted(ana):
    text = r"In JSON it is \u0000 and in Python \x00."
    assert (await ana.call("/probe", "say", text=text))["text"] == text


@one_database
async def test_a_command_with_a_role_is_forbidden_without_it(world, ana):
    with pytest.raises(Refused) as refused:
        await ana.call("/probe", "rule")
    assert refused.value.code == "FORBIDDEN"
    for role in ("moderator", "admin"):
        person = await world.person(role, role)
        assert await person.call("/probe", "rule") == {}


@one_database
async def test_the_role_is_checked_before_the_payload(ana):
    answer = await ana.client.ask("/probe", "rule", {"nonsense": 1})
    assert answer["error"]["code"] == "FORBIDDEN"


@one_database
async def test_a_visitor_may_use_only_commands_for_visitors(world):
    visitor = await world.visitor("/probe")
    assert (await visitor.call("/probe", "echo", text="hello"))["text"] == "hello"
    with pytest.raises(Refused) as refused:
        await visitor.call("/probe", "say", text="hello")
    assert refused.value.code == "FORBIDDEN"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("full", {"code": "FULL", "message": "There is no place left.", "details": {"left": 0}}),
        ("missing", {"code": "NOT_FOUND"}),
        ("moved", {"code": "CONFLICT"}),
        ("busy", {"code": "UNAVAILABLE", "retry_after_s": 3}),
        ("away", {"code": "UNAVAILABLE", "retry_after_s": 1}),
        ("slow", {"code": "UNAVAILABLE", "retry_after_s": 1}),
    ],
)
async def test_a_refusal_has_its_code_and_changes_nothing(world, ana, text, error):
    answer = await ana.client.ask("/probe", "refuse", {"text": text})
    assert answer["ok"] is False
    assert error.items() <= answer["error"].items()
    assert await world.stored("PROBE_SAID") == []


@pytest.mark.parametrize("text", ["counted", "kept"])
async def test_a_refusal_that_commits_keeps_the_events_before_it(world, ana, text):
    answer = await ana.client.ask("/probe", "refuse", {"text": text})
    assert answer["ok"] is False
    assert texts(await world.stored("PROBE_SAID")) == ["said before the refusal"]
    await ana.event("PROBE_SAID")


@one_database
async def test_a_bug_is_answered_with_internal_and_no_details(ana, logs):
    answer = await ana.client.ask("/probe", "break_down", {"text": "canary in the mine"})
    assert answer["error"] == {
        "code": "INTERNAL",
        "message": "Something went wrong on the server; the error was logged.",
    }
    assert "canary" not in logs.getvalue()
    line = next(line for line in logs.getvalue().splitlines() if "command_failed" in line)
    for part in ("correlation_id=", "error=RuntimeError", "break_down", "probe.py:"):
        assert part in line


async def test_a_bug_in_a_transaction_leaves_nothing_behind(world, ana):
    answer = await ana.client.ask("/probe", "break_inside", {"text": "x", "request_id": "r"})
    assert answer["error"]["code"] == "INTERNAL"
    assert await world.stored("PROBE_SAID") == []
    again = await ana.client.ask("/probe", "break_inside", {"text": "y", "request_id": "r"})
    assert again["error"]["code"] == "INTERNAL", "the id must be free again"


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_COMMANDS_BURST="3", PARLEY_COMMANDS_PER_S="5")
async def test_too_many_commands_get_the_time_to_wait(world, ana):
    answers = [await ana.client.ask("/probe", "echo", {"text": "x"}) for _ in range(4)]
    assert [answer["ok"] for answer in answers] == [True, True, True, False]
    error = answers[-1]["error"]
    assert error["code"] == "RATE_LIMITED"
    assert 0 < error["retry_after_s"] <= 0.202
    await asyncio.sleep(error["retry_after_s"])
    assert (await ana.client.ask("/probe", "echo", {"text": "x"}))["ok"]
    ben = await world.person("ben")
    assert await ben.call("/probe", "echo", text="another person's rate is their own")


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_COMMANDS_BURST="3", PARLEY_COMMANDS_PER_S="1")
@pytest.mark.parametrize(
    ("command", "code"), [("nonsense", "UNKNOWN_COMMAND"), ("rule", "FORBIDDEN")]
)
async def test_unknown_and_forbidden_commands_count_against_the_rate(ana, command, code):
    answers = [await ana.client.ask("/probe", command, {}) for _ in range(4)]
    assert [answer["error"]["code"] for answer in answers] == [code] * 3 + ["RATE_LIMITED"]


@one_database
async def test_commands_of_one_socket_run_in_their_order(ana, switches: Switches):
    futures = [await ana.client.begin("/probe", "wait", {"text": str(n)}) for n in range(5)]
    await until(lambda: switches.waiting)
    assert await ana.call("/profile", "me"), "other namespaces do not wait for them"
    assert switches.waiting == ["0"]
    switches.open.set()
    await asyncio.gather(*futures)
    assert switches.waiting == [str(n) for n in range(5)]


@one_database
async def test_commands_beyond_the_queue_of_a_socket_are_refused_at_once(ana, switches: Switches):
    first = await ana.client.begin("/probe", "wait", {"text": "first"})
    await until(lambda: switches.waiting)
    kept = [await ana.client.begin("/probe", "echo", {"text": "x"}) for _ in range(100)]
    answer = await ana.client.ask("/probe", "echo", {"text": "one too many"})
    assert answer["error"]["code"] == "RATE_LIMITED"
    assert answer["error"]["retry_after_s"] > 0
    switches.open.set()
    assert all(answer["ok"] for answer in await asyncio.gather(first, *kept))


@one_database
async def test_large_commands_beyond_the_queue_of_a_socket_are_refused_at_once(
    ana, switches: Switches
):
    first = await ana.client.begin("/probe", "wait", {"text": "first"})
    await until(lambda: switches.waiting)
    payload = {"text": "x" * 100_000}
    sent = [await ana.client.begin("/probe", "rule", payload) for _ in range(60)]
    refused = await sent[-1]
    assert refused["error"]["code"] == "RATE_LIMITED"
    switches.open.set()
    answers = await asyncio.gather(first, *sent)
    codes = [answer["error"]["code"] for answer in answers[1:]]
    assert 40 <= codes.count("FORBIDDEN") <= 43
    assert set(codes) == {"FORBIDDEN", "RATE_LIMITED"}


@one_database
async def test_answers_are_counted_by_their_code_and_unknown_names_make_no_series(world, ana):
    await ana.call("/probe", "echo", text="x")
    await ana.client.ask("/probe", "nonsense", {})
    metrics = await world.metrics()
    labels = 'parley_commands_total{code="%s",command="%s",namespace="/probe"}'
    assert metrics[labels % ("OK", "echo")] == 1
    assert metrics[labels % ("UNKNOWN_COMMAND", "unknown")] == 1
    assert not any("nonsense" in name for name in metrics)


# Request ids.


async def test_the_same_request_id_changes_nothing_and_gets_the_same_answer(world, ana):
    ask = {"text": "once", "request_id": "r1"}
    first = await ana.client.ask("/probe", "say", ask)
    world.clock.advance(60)
    later = await world.another_session(ana)
    await later.enter("/probe")
    reordered = {"request_id": "r1", "text": "once"}
    assert await later.client.ask("/probe", "say", reordered) == first
    assert texts(await world.stored("PROBE_SAID")) == ["once"]


async def test_the_same_request_id_with_another_payload_is_a_conflict(world, ana):
    await ana.call("/probe", "say", text="once", request_id="r1")
    answer = await ana.client.ask("/probe", "say", {"text": "twice", "request_id": "r1"})
    assert answer["error"]["code"] == "CONFLICT"
    assert texts(await world.stored("PROBE_SAID")) == ["once"]


@both_databases
async def test_ten_concurrent_repeats_change_once_and_get_one_answer(world, ana):
    devices = [await ana.device() for _ in range(10)]
    await asyncio.gather(*(device.enter("/probe") for device in devices))
    ask = {"text": "once", "request_id": "r1"}
    answers = await asyncio.gather(*(device.ask("/probe", "say", ask) for device in devices))
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert answers[0]["ok"]
    assert texts(await world.stored("PROBE_SAID")) == ["once"]


@one_database
async def test_repeats_beside_a_bug_get_the_stored_answer(world, ana):
    """A bug rolls its transaction back, and the others of its batch run again, later."""
    devices = [await ana.device() for _ in range(6)]
    await asyncio.gather(*(device.enter("/probe") for device in devices))
    database, begun, gate = world.app.database, threading.Event(), threading.Event()
    await world.app.heartbeat._tasks.end()  # it would wait in the same queue

    def hold(queries):
        begun.set()
        return gate.wait(10)

    def waiting():
        return sum(work.kind == "commands" for work in database._waiting)

    held = asyncio.create_task(database.transact(hold))
    await until(begun.is_set)
    say = {"text": "once", "request_id": "r1"}
    asked = [asyncio.create_task(device.ask("/probe", "say", say)) for device in devices[:-1]]
    broken = {"text": "x", "request_id": "r2"}
    refused = asyncio.create_task(devices[-1].ask("/probe", "break_inside", broken))
    await until(lambda: waiting() == len(devices))
    gate.set()
    assert await held
    assert (await refused)["error"]["code"] == "INTERNAL"
    kept = await ana.client.ask("/probe", "say", say)
    assert await asyncio.gather(*asked) == [kept] * len(asked)
    assert texts(await world.stored("PROBE_SAID")) == ["once"]


async def test_a_request_id_belongs_to_one_user_and_one_command(world, ana):
    ben = await world.person("ben")
    await ana.call("/probe", "say", text="x", request_id="r1")
    await ben.call("/probe", "say", text="y", request_id="r1")
    await ana.call("/probe", "say_later", text="z", after_s=60, request_id="r1")
    assert texts(await world.stored("PROBE_SAID")) == ["x", "y"]


@pytest.mark.parametrize("text", ["full", "counted"])
async def test_a_refusal_leaves_its_request_id_free(ana, text):
    first = await ana.client.ask("/probe", "refuse", {"text": text, "request_id": "r1"})
    other = await ana.client.ask("/probe", "refuse", {"text": "missing", "request_id": "r1"})
    assert first["error"]["code"] == text.upper()
    assert other["error"]["code"] == "NOT_FOUND"


async def test_an_answer_is_deleted_after_its_retention_period(world, ana):
    await ana.call("/probe", "say", text="once", request_id="r1")
    world.clock.advance(29 * 86_400)
    await world.app.housekeeping.tidy()
    await ana.call("/probe", "say", text="once", request_id="r1")
    world.clock.advance(2 * 86_400)
    await world.app.housekeeping.tidy()
    await ana.call("/probe", "say", text="once", request_id="r1")
    assert len(ana.events("PROBE_SAID")) == 2


async def test_a_command_of_two_transactions_does_both_with_a_request_id_too(world, ana):
    ask = {"text": "step", "request_id": "r1"}
    first = await ana.client.ask("/probe", "say_in_two", ask)
    assert first["data"]["text"] == "step two"
    assert await ana.client.ask("/probe", "say_in_two", ask) == first
    assert texts(await world.stored("PROBE_SAID")) == ["step one", "step two"]
