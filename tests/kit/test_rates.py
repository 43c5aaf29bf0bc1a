"""A domain declares its rates beside its code: settings, limits and the catalog follow."""

import json

import aiohttp
import pytest
from aiohttp import web

from handlers import SYSTEMS
from handlers.kit.contract import Empty, Nothing
from handlers.kit.domain import Domain
from handlers.kit.rates import ATTEMPTS, Rate
from handlers.kit.registry import Registry, load_domains
from handlers.kit.uniqueness import WrongDeclaration
from server.catalog import Catalog
from server.setting_values import describe
from server.settings import WrongSetting, list_settings, read_settings
from tests.world import World, one_database

RINGS = Rate("rings", "bells rung", burst=50, per_s=4)
KNOCKS = Rate("knocks", "doors knocked at", per_minute=30, of="address")


def make_bells(*rates: Rate, rate: str = "rings") -> Domain:
    """A domain with a command and a route that count in `rate`."""
    bells = Domain("bells", "/bells", rates=rates)

    @bells.command(rate=rate)
    async def ring(ctx, ask: Nothing) -> Empty:
        """Ring."""
        return Empty()

    @bells.route("POST", "/bells/ring", visitors=True, rate=rate)
    async def ring_outside(ctx, request):
        """Ring."""
        return web.Response()

    return bells


def with_bells(*rates: Rate, **names: str) -> Registry:
    return Registry((*load_domains(SYSTEMS).domains, make_bells(*rates, **names)))


async def ring_until_refused(world: World, name: str) -> int:
    """How often a user can ring before the rate limit."""
    person = await (await world.person(name)).enter("/bells")
    for rung in range(10):
        answer = await (await person.client.begin("/bells", "ring", {}))
        if not answer["ok"]:
            return rung if answer["error"]["code"] == "RATE_LIMITED" else -1
    return 10


async def knock(world: World) -> int:
    async with aiohttp.ClientSession() as http, http.post(f"{world.url}/bells/ring") as answer:
        return answer.status


@one_database
async def test_a_rate_of_a_domain_is_set_by_the_environment_and_counts_per_user(make_world):
    world = await make_world(
        (make_bells(RINGS),),
        PARLEY_LIMITS="default",
        PARLEY_RINGS_BURST="3",
        PARLEY_RINGS_PER_S="0.001",
    )
    assert await ring_until_refused(world, "ana") == 3
    assert await ring_until_refused(world, "ben") == 3


@one_database
async def test_a_rate_per_address_is_shared_by_all_its_users(make_world):
    knocked = (make_bells(KNOCKS, rate="knocks"),)
    world = await make_world(knocked, PARLEY_LIMITS="default", PARLEY_KNOCKS_PER_MINUTE="3")
    assert await ring_until_refused(world, "ana") == 3
    assert await ring_until_refused(world, "ben") == 0
    assert await knock(world) == 429


def test_a_rate_without_a_setting_has_its_default():
    limit = RINGS.limit(read_settings({}, with_bells(RINGS)).declared)
    assert limit == (50, 4)


def test_a_rate_that_is_like_another_one_uses_its_settings():
    chimes = Rate("chimes", "chimes", like=ATTEMPTS)
    set_to = {"PARLEY_ATTEMPTS_PER_MINUTE": "60"}
    settings = read_settings(set_to, with_bells(chimes, rate="chimes"))
    assert chimes.limit(settings.declared) == (60, 1)
    with pytest.raises(WrongSetting, match="PARLEY_CHIMES_BURST is not a setting"):
        read_settings({"PARLEY_CHIMES_BURST": "3"}, with_bells(chimes, rate="chimes"))


def test_the_settings_of_a_rate_are_listed_with_their_descriptions():
    lines = [describe(one) for one in list_settings(with_bells(RINGS, KNOCKS))]
    shown = {line.split()[0]: line.split(None, 1)[1] for line in lines}
    assert shown["PARLEY_RINGS_BURST"] == "bells rung at once, per user [50]"
    assert shown["PARLEY_RINGS_PER_S"] == "bells rung per second after the burst [4]"
    assert shown["PARLEY_KNOCKS_PER_MINUTE"] == "doors knocked at per minute, per address [30]"


@pytest.mark.parametrize("value", ["0", "-3", "many", "1e30"])
def test_an_invalid_rate_is_refused_in_one_line(value):
    with pytest.raises(WrongSetting, match=r"^PARLEY_RINGS_BURST='.*$"):
        read_settings({"PARLEY_RINGS_BURST": value}, with_bells(RINGS))


def test_the_catalog_shows_a_rate_with_its_default():
    bells = Registry((make_bells(RINGS),))
    said = json.loads(Catalog(bells).asyncapi_json())
    expected = {"name": "rings", "burst": 50, "per_s": 4}
    assert said["operations"]["bells.ring"]["x-rate"] == expected
    assert said["x-routes"][0]["x-rate"] == expected


def refusal_of(*domains: Domain) -> str:
    with pytest.raises(WrongDeclaration) as refused:
        Registry(domains)
    return str(refused.value)


def test_an_undeclared_rate_stops_the_start():
    said = refusal_of(make_bells(RINGS, rate="ring"))
    assert "ring:" in said
    assert said.endswith("no domain declares the rate 'ring'")


def test_two_rates_of_one_name_stop_the_start():
    first, second = make_bells(RINGS), Domain("gongs", rates=(RINGS,))
    said = refusal_of(first, second)
    assert said == f"rate rings is declared twice: {first.place} and {second.place}"
    assert "rate attempts is declared twice: the kit and" in refusal_of(make_bells(ATTEMPTS))


@pytest.mark.parametrize(
    "rate",
    [
        Rate("rings", "bells"),
        Rate("rings", "bells", burst=3),
        Rate("rings", "bells", per_s=1, per_minute=3),
        Rate("rings", "bells", per_minute=3, like=ATTEMPTS),
        Rate("rings", "bells", per_minute=-3),
        Rate("RINGS", "bells", per_minute=3),
        Rate("rings", "bells", like=KNOCKS),
    ],
    ids=str,
)
def test_a_rate_without_one_size_or_a_name_stops_the_start(rate):
    bells = make_bells(rate)
    assert refusal_of(bells).startswith(f"{bells.place}: ")


@pytest.mark.parametrize("name", ["work", "frames", "connections"])
def test_a_rate_with_a_setting_of_the_server_stops_the_start(name):
    rate = Rate(name, "things", burst=1, per_s=1)
    with pytest.raises(WrongDeclaration, match=f"setting {name}_.* is declared twice: the server"):
        read_settings({}, with_bells(rate, rate=name))


@one_database
async def test_a_rate_with_the_name_of_a_server_rate_stops_the_start(make_world):
    rate = Rate("frames_together", "things", burst=1, per_s=1)
    with pytest.raises(WrongDeclaration, match="itself declares the rate frames_together"):
        await make_world((make_bells(rate, rate="frames_together"),))
