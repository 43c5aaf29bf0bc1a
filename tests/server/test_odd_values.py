"""Invalid values that resemble valid ones are refused."""

from typing import Any

import aiohttp
import pytest

from handlers import SYSTEMS
from handlers.kit.registry import load_domains
from tests.wire_client import Refused
from tests.world import World, one_database

PAGED = {
    key: field
    for key, command in load_domains(SYSTEMS).commands.items()
    for field in ("before", "after")
    if field in command.request.__struct_fields__
}
NEEDED: dict[str, dict[str, Any]] = {"/chat search": {"text": "word"}}
"""Other required fields of paged commands, by `namespace name`."""
ODD_CURSORS = (
    *("", "x", "~", "0", "null", "-1", " " * 36, "2026-01-01"),
    *("2026-01-01 x", f"2026-01-01T00:00:00 {'0' * 36}", f"2026-01-01 {'0' * 36}"),
    *(7, 1.5, True, [], {}),
)


@one_database
async def test_a_cursor_that_no_page_gave_is_invalid(world: World):
    ana = await world.person("ana", "consultant", "moderator")
    assert len(PAGED) >= 7
    for (namespace, name), field in PAGED.items():
        if namespace not in ana.client.synced:
            await ana.enter(namespace)
        more = NEEDED.get(f"{namespace} {name}", {})
        for cursor in ODD_CURSORS:
            answer = await ana.client.ask(namespace, name, {**more, field: cursor})
            code = answer.get("error", {}).get("code")
            assert code == "INVALID", (namespace, name, cursor, answer)


@one_database
@pytest.mark.parametrize(
    "token", [7, 1.5, True, False, [], ["x"], {}, {"token": "x"}, ""], ids=repr
)
async def test_a_token_that_is_not_a_string_is_refused_even_for_visitors(world: World, token: Any):
    for namespace in ("/profile", "/consultants"):
        client = await world.connect()
        with pytest.raises(Refused) as refused:
            await client.enter(namespace, token=token)
        assert refused.value.code == "TOKEN_MISSING"


@one_database
async def test_the_number_of_a_part_is_written_in_ascii_digits(world: World):
    ana = await world.person("ana")
    headers = {"Authorization": f"Bearer {ana.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for number, code in (("1", "INVALID"), ("٣", "NOT_FOUND"), ("-1", "NOT_FOUND")):
            place = f"{world.url}/uploads/x/parts/{number}"
            async with http.post(place, data=b"{}") as answer:
                assert (await answer.json())["error"]["code"] == code, number
