"""The catalog describes the code, as the official schema, a compiler and an HTML parser confirm."""

import enum
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import aiohttp
import msgspec
import pytest
import referencing
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from msgspec import UNSET, UnsetType
from referencing.jsonschema import DRAFT7

import handlers
from handlers.kit.contract import Change, Event, Id, View
from handlers.kit.domain import Domain
from handlers.kit.errors import ALWAYS_POSSIBLE, Refusal
from handlers.kit.rates import Rate
from handlers.kit.registry import Registry, load_domains
from handlers.kit.roles import Role
from handlers.platform.auth.contracts import CredentialsWrong
from handlers.platform.profile.contracts import UserUpdated, UserView
from rooms.packets import Packet, ephemeral_packet, event_packet
from server.catalog import Catalog
from server.catalog.audience import audience_of
from server.catalog.vocabulary import EphemeralMeta, Meta, declared_events
from server.dispatch import error_body
from storage.events.log import Numbered
from tests.parts.node import find_node
from tests.world import World, one_database

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
TSC = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
Json = dict[str, Any]
Flavor = Literal["sweet", "sour"]
RATES = (Rate("stirs", "spoons stirred", burst=3, per_s=0.5),)
ROLES = (Role("cook", "domain"), Role("admin", "operator"))


# An invented domain with one of everything that contracts can contain.


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class TooSour(Refusal):
    """It is <b>too</b> sour."""


class Spoon(msgspec.Struct):
    length_mm: int
    label: str | None = None


class Saucer(msgspec.Struct, omit_defaults=True):
    crack: str | None = None


class Stir(Change):
    """What to stir, */ and how."""

    cup_id: Id
    flavor: Flavor | UnsetType = UNSET
    turns: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    spoon: Spoon | None = None
    from_: str = msgspec.field(name="from", default="left")


class CupView(View):
    """A cup <script>alert(1)</script>."""

    id: str
    flavor: Flavor
    size: Size
    kind: Literal["mug", "glass"] | None
    stirred_at: datetime | None
    notes: list[str | None]
    sizes: dict[str, int | None]
    extra: msgspec.Raw
    spoons: tuple[Spoon, ...] = ()
    saucer: Saucer | None = None
    rating: float | UnsetType = UNSET


class Steam(msgspec.Struct):
    """Something rises from a cup."""

    cup_id: str


@dataclass
class Telling(Domain):
    ephemeral_events: dict[str, type[msgspec.Struct]] = field(default_factory=dict)


def invent() -> Registry:
    """A registry with only the invented domain."""
    kitchen = Telling(
        "kitchen", "/kitchen", ephemeral_events={"stir": Steam}, roles=ROLES, rates=RATES
    )

    @kitchen.command(roles=("cook", "admin"), rate="stirs", refuses=(TooSour,))
    async def stir(ctx: Any, ask: Stir) -> CupView:
        """Stir a cup & wait."""
        raise NotImplementedError

    @kitchen.command()
    async def peek(ctx: Any, ask: Stir) -> CupView | msgspec.Raw:
        """Look at it, or at what was kept of it."""
        raise NotImplementedError

    @kitchen.route("GET", "/cups/{cup_id}", roles=("cook",), refuses=(TooSour,))
    async def show_cup(ctx: Any, request: Any) -> Any:
        """A picture of it."""
        raise NotImplementedError

    return Registry((kitchen,))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_domains(handlers.SYSTEMS)


@pytest.fixture(scope="module")
def document(registry: Registry) -> Json:
    decoded: Json = json.loads(Catalog(registry).asyncapi_json())
    return decoded


@pytest.fixture(scope="module")
def invented() -> Json:
    decoded: Json = json.loads(Catalog(invent()).asyncapi_json())
    return decoded


@pytest.fixture(scope="module")
def specification() -> Draft7Validator:
    """The official schema, with local copies of the schemas that it refers to by URL."""
    schema = json.loads(SPECIFICATION.read_text())
    parts = [
        (address, DRAFT7.create_resource(part)) for address, part in schema["definitions"].items()
    ]
    registry: referencing.Registry[Any] = referencing.Registry()
    return Draft7Validator(schema, registry=registry.with_resources(parts))


# AsyncAPI.


def test_the_document_is_asyncapi_3(
    specification: Draft7Validator, document: Json, invented: Json
) -> None:
    assert [error.message for error in specification.iter_errors(document)] == []
    assert [error.message for error in specification.iter_errors(invented)] == []


def test_the_official_schema_would_notice_a_wrong_document(
    specification: Draft7Validator, document: Json
) -> None:
    wrong = json.loads(json.dumps(document))
    wrong["operations"]["profile.update"]["action"] = "hear"
    assert not specification.is_valid(wrong)
    wrong = json.loads(json.dumps(document))
    wrong["components"]["schemas"]["User"]["type"] = "thing"
    assert not specification.is_valid(wrong)


def test_every_reference_resolves(document: Json, invented: Json) -> None:
    for whole in (document, invented):
        for reference in references(whole):
            found = whole
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]


def test_every_command_is_an_operation_with_its_answers_and_codes(
    registry: Registry, document: Json
) -> None:
    assert registry.commands
    for (namespace, name), command in registry.commands.items():
        key = namespace.strip("/")
        operation = document["operations"][f"{key}.{name}"]
        messages = document["channels"][key]["messages"]
        assert operation["action"] == "receive"
        assert operation["reply"]["messages"] == [
            {"$ref": f"#/channels/{key}/messages/{name}.{how}"} for how in ("done", "refused")
        ]
        error = messages[f"{name}.refused"]["payload"]["properties"]["error"]
        codes = error["allOf"][1]["properties"]["code"]["enum"]
        assert set(codes) == {r.CODE for r in ALWAYS_POSSIBLE} | {r.CODE for r in command.refuses}
        assert ("security" in operation) is not command.visitors


def test_every_event_with_an_audience_is_sent(document: Json) -> None:
    operation = document["operations"]["profile.on.USER_UPDATED"]
    assert operation["action"] == "send"
    assert operation["x-rooms"] == ["user:{user.id}"]
    message = document["channels"]["profile"]["messages"]["USER_UPDATED"]
    assert message["headers"] == {"$ref": "#/components/schemas/Meta"}
    text = json.dumps(document)
    assert "USER_CREATED" not in text, "an internal event is nobody's outside"
    assert "ROLES_CHANGED" not in text, "the control stream is no client's"


def test_roles_visitors_and_rates_are_extensions(invented: Json, document: Json) -> None:
    operation = invented["operations"]["kitchen.stir"]
    assert operation["x-roles"] == ["admin", "cook"]
    assert operation["x-rate"] == {"name": "stirs", "burst": 3, "per_s": 0.5}
    assert operation["x-refusals"] == {"TOO_SOUR": "It is <b>too</b> sour."}
    assert document["operations"]["auth.login"]["x-visitors"] is True
    assert document["operations"]["auth.login"]["x-rate"]["per_minute"] == 20
    assert invented["info"]["x-granted-by"] == {"cook": "domain", "admin": "operator"}
    assert invented["x-routes"] == [
        {
            "method": "GET",
            "path": "/cups/{cup_id}",
            "summary": "A picture of it.",
            "x-visitors": False,
            "x-roles": ["cook"],
            "x-rate": {"name": "commands", "burst": 60, "per_s": 20},
            "x-refusals": {"TOO_SOUR": "It is <b>too</b> sour."},
        }
    ]


def test_an_ephemeral_event_may_have_the_name_of_its_command(invented: Json) -> None:
    assert invented["operations"]["kitchen.stir"]["action"] == "receive"
    assert invented["operations"]["kitchen.on.stir"]["x-ephemeral"] is True
    message = invented["channels"]["kitchen"]["messages"]["stir"]
    assert message["headers"] == {"$ref": "#/components/schemas/EphemeralMeta"}


# Real messages match the schemas.


def test_messages_of_the_server_match_the_schemas(document: Json) -> None:
    refused = json.loads(error_body(CredentialsWrong()))
    payload = document["channels"]["auth"]["messages"]["login.refused"]["payload"]
    check(document, payload, refused)
    refused["error"]["code"] = "EMAIL_TAKEN"
    with pytest.raises(ValidationError):
        check(document, payload, refused)


def test_requests_replies_and_events_have_their_json_schema(registry: Registry) -> None:
    schemas = Catalog(registry).json_schema()
    user = msgspec.to_builtins(a_user())
    check(schemas, schemas["commands"]["/profile"]["me"]["reply"], user)
    check(schemas, schemas["events"]["/profile"]["USER_UPDATED"], {"user": user})
    asked = schemas["commands"]["/profile"]["update"]["request"]
    check(schemas, asked, {"first_name": "Ada"})
    for wrong in ({"first_name": ""}, {"nick_name": "Ada"}):
        with pytest.raises(ValidationError):
            check(schemas, asked, wrong)


def test_a_view_always_has_fields_with_defaults() -> None:
    schemas = Catalog(invent()).json_schema()["components"]["schemas"]
    assert schemas["Stir"]["required"] == ["cup_id"]
    assert "spoons" in schemas["Cup"]["required"]
    assert "rating" not in schemas["Cup"]["required"]


def test_meta_is_what_packets_carry() -> None:
    event = Numbered(
        id="e",
        name="X",
        data="{}",
        stream="/profile|user:1",
        seq=3,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert set(meta_of(event_packet(event))) == set(Meta.__struct_fields__)
    assert set(meta_of(ephemeral_packet("/chat", "r", "typing", {}))) == {
        *EphemeralMeta.__struct_fields__
    }


# TypeScript.


def test_typescript_accepts_and_enforces_the_contracts(
    registry: Registry, compile_client: Callable[..., str]
) -> None:
    contracts = Catalog(registry).contracts()
    right = """
        import type { Commands, ErrorCode, Events, Meta, Synced, User } from "./contracts.js";
        const asked: Commands["/profile"]["update"]["payload"] = { first_name: "Ada" };
        const heard: Events["/profile"]["USER_UPDATED"]["user"] = {} as User;
        const code: ErrorCode = "CREDENTIALS_WRONG";
        const seq: (meta: Meta, synced: Synced) => number =
          (meta, synced) => meta.seq - synced.rooms["user:1"].seq;
        export { asked, heard, code, seq };
    """
    assert compile_client(contracts, right) == ""
    wrong = (
        'import type { Commands, ErrorCode } from "./contracts.js";',
        'const a: Commands["/profile"]["update"]["payload"] = { nick_name: "Ada" };',
        'const b: Commands["/profile"]["me"]["data"] = { id: 1 };',
        'const c: ErrorCode = "NO_SUCH_CODE";',
        'const d: Commands["/nowhere"] = {};',
    )
    errors = compile_client(contracts, "\n".join(wrong))
    assert set(re.findall(r"^client\.ts\((\d+),", errors, re.MULTILINE)) == set("2345")


def test_each_kind_of_field_has_its_type(compile_client: Callable[..., str]) -> None:
    contracts = Catalog(invent()).contracts()
    assert compile_client(contracts, "export {};") == ""
    assert block(contracts, "interface Cup") == [
        "id: string;",
        "flavor: Flavor;",
        "size: Size;",
        'kind: "glass" | "mug" | null;',
        "stirred_at: string | null;",
        "notes: (string | null)[];",
        "sizes: Record<string, number | null>;",
        "extra: unknown;",
        "spoons: Spoon[];",
        "saucer: Saucer | null;",
        "rating?: number;",
    ]
    assert sorted(block(contracts, "interface Stir")) == [
        "cup_id: string;",
        "flavor?: Flavor;",
        "from?: string;",
        "request_id?: string;",
        "spoon?: Spoon | null;",
        "turns?: number;",
    ]
    assert block(contracts, "interface Saucer") == ["crack?: string;"], "null is never sent"
    assert 'export type Flavor = "sour" | "sweet";' in contracts
    assert 'export type Size = "large" | "small";' in contracts
    assert 'export type RoleName = "admin" | "cook";' in contracts
    assert "stir: { payload: Stir; data: Cup };" in contracts
    assert "peek: { payload: Stir; data: unknown };" in contracts
    assert "stir: { cup_id: string };" in contracts, "an ephemeral event is among the events"
    assert '"/kitchen": "stir";' in contracts, "and among the ephemeral events"


def test_the_committed_files_are_those_of_the_code(registry: Registry) -> None:
    for path, text in Catalog(registry).files().items():
        assert (ROOT / path).read_text() == text, f"{path}: run.py catalog was not run"


def test_every_process_generates_the_same_files(registry: Registry) -> None:
    script = (
        "import sys; from handlers import SYSTEMS; from handlers.kit.registry import load_domains;"
        "from server.catalog import Catalog; c = Catalog(load_domains(SYSTEMS));"
        "sys.stdout.write(''.join(c.files().values()) + c.asyncapi_json() + c.page())"
    )
    there = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = Catalog(registry)
    assert there == "".join(here.files().values()) + here.asyncapi_json() + here.page()


def test_private_fields_of_events_are_not_described(registry: Registry, document: Json) -> None:
    contracts = Catalog(registry).contracts()
    private = {event.NAME: event.PRIVATE for event in declared_events() if event.PRIVATE}
    assert private["CALL_QUALITY_REPORTED"] == ("parties",)
    for event in declared_events():
        (line,) = re.findall(rf"^    {event.NAME}: (\{{.*);$", contracts, re.MULTILINE) or [""]
        assert not [name for name in event.PRIVATE if f" {name}: " in line], event.NAME
    schemas = document["components"]["schemas"]
    assert "quality" in schemas["CallQualityReported"]["properties"]
    assert "parties" not in schemas["CallQualityReported"]["properties"]


# The audience.


def test_the_audience_comes_from_the_rooms_of_the_event() -> None:
    class Poured(Event):
        NAME: ClassVar[str] = "POURED"
        cup: CupView
        guests: list[str]

        def rooms(self) -> tuple[str, ...]:
            return (f"user:{self.cup.id}", *(f"guest:{guest}" for guest in self.guests))

    assert audience_of(UserUpdated) == ("user:{user.id}",)
    assert audience_of(Poured) == ("user:{cup.id}", "guest:{guests}")


def test_an_event_with_an_unknown_audience_lists_no_rooms() -> None:
    class Hidden(Event):
        NAME: ClassVar[str] = "HIDDEN"
        table: dict[str, str]

        def rooms(self) -> tuple[str, ...]:
            return (self.table["nobody"],)

    assert audience_of(Hidden) == ()


# The page.


class Read(HTMLParser):
    """Parses a page: its links, link targets, text and unclosed tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "link"):
            self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]
        self.anchors += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_command_and_has_no_dead_links(registry: Registry) -> None:
    page = Read(Catalog(registry).page())
    assert page.open == []
    assert len(page.anchors) == len(set(page.anchors))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.anchors)
    assert {f"{namespace}.{name}" for namespace, name in registry.commands} <= set(page.anchors)
    assert "/profile.on.USER_UPDATED" in page.anchors
    assert {"/docs/asyncapi.json", "/docs/contracts.d.ts", "/client/docs.css"} <= set(page.links)


def test_the_page_shows_every_rest_endpoint_with_its_shapes(registry: Registry) -> None:
    page = Catalog(registry).page()
    assert len(registry.routes) >= 10
    for route in registry.routes:
        assert route.purpose, route.path
        for refusal in route.refuses:
            assert f"<code>{refusal.CODE}</code>" in page
    for shown in ("PUT /files/{key}", "POST /uploads/{upload_id}/parts/{number}"):
        assert f"<code>{shown}</code>" in page
    assert page.count('<h3 id="GET /') == sum(one.method == "GET" for one in registry.routes)
    contracts = Catalog(registry).contracts()
    for name in ("StartUpload", "SignedPut", "Upload"):
        assert f"export interface {name} " in contracts
    assert '"QUOTA_EXCEEDED"' in contracts


def test_the_page_shows_limits_roles_and_refusals_and_runs_no_script() -> None:
    page = Read(Catalog(invent()).page())
    assert "For cook." in page.text
    for said in (
        "Stir a cup & wait.",
        "1 to 9",
        "TOO_SOUR",
        "It is <b>too</b> sour.",
        "A cup <script>alert(1)</script>.",
        "admin or cook",
        "stirs: 3 at once, then 0.5 per second",
        "NOT_FOUND",
    ):
        assert said in page.text
    assert not page.tags & {"script", "b", "style", "img"}


@one_database
async def test_all_forms_are_served(world: World) -> None:
    async with aiohttp.ClientSession(world.url) as client:
        for path, kind, part in (
            ("/docs", "text/html", "<h1>"),
            ("/docs/asyncapi.json", "application/json", '"asyncapi": "3.0.0"'),
            ("/docs/contracts.d.ts", "text/plain", "export interface Commands"),
            ("/client/docs.css", "text/css", ":root"),
        ):
            answer = await client.get(path)
            assert (answer.status, answer.content_type) == (200, kind)
            assert part in await answer.text()


# Support for the tests above.


@pytest.fixture
def compile_client(tmp_path: Path) -> Callable[..., str]:
    """`compile_client(contracts, code)` returns the output of the TypeScript compiler."""

    def run(contracts: str, code: str) -> str:
        (tmp_path / "contracts.d.ts").write_text(contracts)
        (tmp_path / "client.ts").write_text(code)
        options = ("--strict", "--noEmit", "--module", "esnext", "--moduleResolution", "bundler")
        told = subprocess.run(
            [find_node(), TSC, *options, "contracts.d.ts", "client.ts"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        return told.stdout + told.stderr

    return run


def check(whole: Json, schema: Json, value: Any) -> None:
    """Raises ValidationError unless `value` matches `schema`, which is a part of `whole`."""
    Draft7Validator({**schema, "components": whole["components"]}).validate(value)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)


def block(contracts: str, head: str) -> list[str]:
    """The lines inside the interface `head`."""
    _, _, rest = contracts.partition(f"export {head} {{\n")
    return [line.strip() for line in rest.partition("\n}")[0].splitlines()]


def meta_of(packet: Packet) -> Json:
    decoded: list[Json] = json.loads(packet.text.partition(b",")[2])
    return decoded[-1]


def a_user() -> UserView:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return UserView(
        id="u",
        email="ada@example.org",
        email_verified=True,
        first_name="Ada",
        last_name="Lovelace",
        language="en",
        time_zone="UTC",
        roles=["student"],
        settings={"theme": "dark", "clock": "24h", "read_receipts": True},
        picture_id=None,
        created_at=moment,
        updated_at=moment,
    )
