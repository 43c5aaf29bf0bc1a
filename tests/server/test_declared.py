"""`parley/declared.js` tells the client library how to use the commands that domains declare."""

import re
from pathlib import Path
from typing import Any

import yaml

from handlers.kit.contract import Change, Id, Request, View
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry
from server.catalog import Catalog

DECLARED = Path("static", "client", "parley", "declared.js")


class Look(Request):
    """Which cup to look at."""

    cup_id: Id


class CupView(View):
    """A cup."""

    id: str


class WatchedCupView(CupView, kw_only=True):
    """A cup, as of event `seq` of its room."""

    seq: int


async def act(ctx: Any, ask: Look) -> CupView: ...


async def change(ctx: Any, ask: Change) -> CupView: ...


async def watch(ctx: Any, ask: Look) -> WatchedCupView: ...


def invent() -> Registry:
    """Two domains with commands of each kind."""
    kitchen = Domain("kitchen", "/kitchen")
    kitchen.command(name="stir")(change)
    kitchen.command(name="peek")(act)
    kitchen.command(name="spill", repeatable=False)(act)
    kitchen.command(name="steam", ephemeral=True)(act)
    kitchen.command(watches="cup:{}".format)(watch)
    tap = Domain("tap", "/tap", visitors=True, anonymous=True)
    tap.command(name="watch", visitors=True)(act)
    table = Domain("table", "/table", visitors=True)
    return Registry((kitchen, tap, table))


def test_the_client_is_told_what_domains_declare():
    written = Catalog(invent()).files()[DECLARED]
    tables = dict(re.findall(r"export const (\w+) = ([^;]+);", written))
    assert {name: yaml.safe_load(table) for name, table in tables.items()} == {
        "TAKE_A_REQUEST_ID": {"/kitchen": ["stir"]},
        "ONLY_ONCE": {"/kitchen": ["spill"]},
        "EPHEMERAL": {"/kitchen": ["steam"]},
        "WATCHED": {"/kitchen": "cup:{cup_id}", "/tap": None},
        "VISITED": ["/table", "/tap"],
        "WITHOUT_TOKEN": ["/tap"],
    }
