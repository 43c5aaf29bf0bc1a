"""Names of each kind are declared once, and references to undeclared names are refused."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from aiohttp import web

from handlers import SYSTEMS
from handlers.kit.context import Context
from handlers.kit.contract import Change, ChangeOnce, Empty, Event, Nothing, View
from handlers.kit.domain import Domain
from handlers.kit.errors import Refusal
from handlers.kit.personal_data import Stage
from handlers.kit.registry import Registry, load_domains
from handlers.kit.retention import Retention
from handlers.kit.roles import Role
from handlers.kit.transaction import Transaction
from handlers.kit.uniqueness import LENGTHS_MAX, WrongDeclaration
from storage.events.backfills import backfills
from storage.events.consumers import consumers
from storage.events.deliveries import deliveries
from storage.events.idempotency import idempotency_keys
from storage.events.log import events
from storage.events.timers import timers
from storage.platform.notifications.inbox import notifications

HERE = "tests.kit.test_uniqueness"
ROOT = Path(__file__).parents[2]


class Rang(Event):
    """A bell rang."""

    NAME: ClassVar[str] = "BELL_RANG"
    NAMESPACE: ClassVar[str | None] = "/bell"

    def key(self) -> str:
        return "bell"


class RangAgain(Rang):
    """Another fact by the same name."""

    NAME: ClassVar[str] = "BELL_RANG"


class Heard(View):
    """A bell, as of event `seq` of its room."""

    seq: int


class Ringing(msgspec.Struct):
    """What is heard while it rings."""


async def ring(ctx: Context, ask: Nothing) -> Empty: ...


async def other_ring(ctx: Context, ask: Nothing) -> Empty: ...


async def ring_again(ctx: Context, ask: Change) -> Empty: ...


async def ring_on(ctx: Context, ask: Nothing) -> Heard: ...


async def ring_once(ctx: Context, ask: ChangeOnce) -> Empty: ...


async def get_bell(ctx: Context, request: Any) -> web.Response: ...


async def get_other_bell(ctx: Context, request: Any) -> web.Response: ...


def note(tx: Transaction, event: Any) -> None: ...


def tell(tx: Transaction, rule: Any, event: Any) -> None: ...


def forget(tx: Any, before: Any, limit: int) -> int: ...


def refusal_by(name: str) -> type[Refusal]:
    return type(name, (Refusal,), {"__doc__": "No.", "__module__": HERE})


def bell(**fields: Any) -> Domain:
    return Domain(**{"name": "bell", "namespace": "/bell", **fields})


def refused(*domains: Domain) -> str:
    with pytest.raises(WrongDeclaration) as raised:
        Registry(domains)
    return str(raised.value)


def test_the_domains_of_parley_fit_together():
    registry = load_domains(SYSTEMS)
    assert list(registry.roles) == ["student", "moderator", "admin", "consultant"]
    assert registry.roles["consultant"].granted_by == "domain"
    assert registry.roles["moderator"].granted_by == "operator"


def test_a_domain_with_a_taken_name_is_refused():
    first, second = bell(), bell(namespace="/other")
    said = refused(first, second)
    assert said == f"domain bell is declared twice: {first.place} and {second.place}"
    assert first.place.startswith(f"{HERE}:")


def test_the_same_domain_twice_is_refused():
    with pytest.raises(
        WrongDeclaration, match=r"chat is declared twice: handlers\.platform\.chat:"
    ):
        load_domains({"platform": ("chat", "chat")})


@pytest.mark.parametrize(
    ("reader", "command"),
    [
        ("server.app", "serve"),
        ("server.settings", "serve"),
        ("server.settings", "--help"),
        ("run", "catalog"),
    ],
)
def test_the_start_ends_with_one_line_that_names_both_places(
    tmp_path: Path, reader: str, command: str
):
    twice = f"{reader}.SYSTEMS = {{'platform': ('chat', 'chat')}}"
    begin = f"import {reader}, run\n{twice}\nrun.main(['{command}'])"
    environ = {**os.environ, "PARLEY_DATA_DIR": str(tmp_path), "PARLEY_PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", begin], cwd=ROOT, env=environ, capture_output=True, check=False
    )
    assert ended.returncode == 1
    said = ended.stderr.decode()
    assert said.startswith(
        "parley: cannot start: domain platform.chat is declared twice: handlers.platform.chat:"
    )
    assert said.count("\n") == 1


def test_a_taken_namespace_is_refused():
    assert "namespace /bell is declared twice" in refused(bell(), bell(name="other"))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in a domain", "across domains"])
def test_a_command_with_a_taken_name_in_its_namespace_is_refused(elsewhere):
    first = bell()
    second = Domain("other", "/other") if elsewhere else first
    first.command()(ring)
    second.command(name="ring", namespace="/bell")(other_ring)
    said = refused(*{first.name: first, second.name: second}.values())
    assert said.startswith("command /bell ring is declared twice: ")
    assert f"{HERE}.ring:{ring.__code__.co_firstlineno}" in said
    assert f"{HERE}.other_ring:{other_ring.__code__.co_firstlineno}" in said


def test_a_domain_may_use_one_name_in_two_namespaces():
    first, second = bell(), Domain("other", "/other")
    first.command()(ring)
    first.command(name="ring", namespace="/other")(other_ring)
    commands = Registry((first, second)).commands
    assert set(commands) == {("/bell", "ring"), ("/other", "ring")}


def test_a_command_that_no_client_can_send_is_refused():
    domain = bell()
    domain.command(name="disconnect")(ring)
    assert "Socket.IO itself and" in refused(domain)


def test_the_client_options_of_a_command_must_fit_it():
    for options, command, said in (
        ({"visitors": False}, ring, "clients enter /bell without a token"),
        ({"repeatable": False}, ring_again, "with its request id it can be repeated"),
        ({"name": "watch"}, ring_on, "`watches` is for a `watch` whose answer has a seq"),
        ({"watches": str}, ring, "`watches` is for a `watch` whose answer has a seq"),
        ({"name": "watch", "watches": str}, ring_on, "its request needs one field"),
    ):
        domain = bell(visitors=True, anonymous=True)
        domain.command(**{"visitors": True, **options})(command)
        assert said in refused(domain)


def test_a_command_in_an_undeclared_namespace_is_refused():
    domain = bell()
    domain.command(namespace="/nowhere")(ring)
    assert "no domain has the namespace '/nowhere'" in refused(domain)
    homeless = bell(namespace=None)
    homeless.command()(ring)
    assert "no domain has the namespace ''" in refused(homeless)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/bells", "/bells"),
        ("/bells/{id}", "/bells/{bell_id}"),
        (r"/bells/{id:\d{1,5}}/x", r"/bells/{number:\d{1,5}}/x"),
    ],
)
def test_a_route_with_a_taken_path_is_refused(first, second):
    domain, other = bell(), Domain("other")
    domain.route("GET", first)(get_bell)
    other.route("GET", second)(get_other_bell)
    said = refused(domain, other)
    assert said.startswith("route GET /bells")
    assert f"{HERE}.get_bell:" in said
    assert f"{HERE}.get_other_bell:" in said


def test_routes_with_different_methods_or_patterns_are_accepted():
    domain = bell()
    domain.route("GET", "/bells/{id}")(get_bell)
    domain.route("DELETE", "/bells/{id}")(get_bell)
    domain.route("GET", r"/bells/{id:\d+}")(get_bell)
    assert len(Registry((domain,)).routes) == 3


def test_a_route_with_an_unknown_method_is_refused():
    domain = bell()
    domain.route("get", "/bells")(get_bell)
    assert "'get' is not one of GET, POST" in refused(domain)


def test_a_consumer_with_a_taken_name_is_refused():
    domain = bell()
    domain.consumer(Rang)(note)
    domain.consumer(Rang)(note)
    assert "consumer bell.note is declared twice" in refused(domain)


def test_a_consumer_with_the_name_of_a_notice_function_is_refused():
    domain = bell()
    domain.consumer(Rang)(note)
    domain.tells(note)
    assert "consumer bell.note is declared twice" in refused(domain)


def test_a_retention_with_a_taken_name_is_refused():
    one, other = bell(), Domain("bells", "/other")
    for domain in (one, other):
        domain.retentions.append(Retention("bell.forget", "events_kept_days", forget))
    assert "retention bell.forget is declared twice" in refused(one, other)


def test_domains_of_one_name_in_two_systems_store_different_names():
    one, other = bell(system="platform"), Domain("bell", "/other", system="learning")
    for domain in (one, other):
        domain.consumer(Rang)(note)
        domain.tells(tell)
        domain.forgets("events_kept_days")(forget)
        domain.personal_data.erase(Stage.ROWS)(note)
    registry = Registry((one, other))
    assert set(registry.consumers) == {
        *("platform.bell.note", "platform.bell.tell"),
        *("learning.bell.note", "learning.bell.tell"),
    }
    names = [retention.name for retention in registry.retentions]
    assert names == ["platform.bell.forget", "learning.bell.forget"]
    assert set(registry.personal_data.erasures) == {"platform.bell.note", "learning.bell.note"}


def test_a_domain_belongs_to_the_system_of_its_module():
    named = {f"{system}.{name}" for system, names in SYSTEMS.items() for name in names}
    assert set(load_domains(SYSTEMS).by_key) == named
    assert bell().system == ""


LONG = "x" * 101


def declare_long_command(domain: Domain) -> None:
    domain.command(name=LONG)(ring)


def declare_long_step(domain: Domain) -> None:
    domain.command(steps={LONG: Ringing})(ring)


def declare_long_consumer(domain: Domain) -> None:
    domain.name = LONG
    domain.consumer(Rang)(note)


def declare_long_retention(domain: Domain) -> None:
    domain.retentions.append(Retention(LONG, timedelta(days=1), forget))


def declare_long_erasure(domain: Domain) -> None:
    domain.name = LONG[:98]
    domain.personal_data.erase(Stage.ROWS)(note)


def declare_long_event(domain: Domain) -> None:
    long_one = type("LongOne", (Rang,), {"NAME": LONG, "__module__": HERE})
    domain.consumer(long_one)(note)


def declare_long_notice(domain: Domain) -> None:
    domain.notifies(Rang, LONG)(note)


@pytest.mark.parametrize(
    "declare",
    [
        declare_long_command,
        declare_long_step,
        declare_long_consumer,
        declare_long_retention,
        declare_long_erasure,
        declare_long_event,
        declare_long_notice,
    ],
)
def test_a_name_that_is_too_long_for_its_column_is_refused(declare):
    domain = bell()
    declare(domain)
    assert re.search(r"xxx\S* is longer than \d+ characters$", refused(domain))


def test_the_maximum_length_of_names_is_that_of_their_columns():
    columns: dict[str, list[Any]] = {
        "event": [events.c.name, timers.c.name],
        "command": [idempotency_keys.c.command],
        "consumer": [
            consumers.c.name,
            deliveries.c.consumer,
            backfills.c.consumer,
            events.c.told_to,
        ],
        "kind of notice": [notifications.c.kind],
    }
    for kind, kept_in in columns.items():
        assert {column.type.length for column in kept_in} == {LENGTHS_MAX[kind]}, kind


def test_a_command_that_must_run_only_once_is_not_for_visitors():
    domain = bell()
    domain.command(visitors=True)(ring_once)
    assert f"{HERE}.ring_once:" in refused(domain)


def test_an_event_with_a_taken_name_is_refused():
    domain = bell()
    domain.consumer(Rang, RangAgain)(note)
    said = refused(domain)
    assert said == f"event BELL_RANG is declared twice: {HERE}.Rang and {HERE}.RangAgain"


@pytest.mark.parametrize("name", ["BELL_RANG", "synced", "session_ended", "connect_error"])
def test_an_ephemeral_event_with_a_taken_name_is_refused(name):
    domain = bell(ephemeral_events={name: Ringing})
    domain.consumer(Rang)(note)
    assert f"event or ephemeral event /bell {name} is declared twice" in refused(domain)


def test_two_refusals_with_one_code_are_refused():
    domain = bell()
    domain.command(refuses=(refusal_by("BellGone"),))(ring)
    domain.route("GET", "/bells", refuses=(refusal_by("BellGone"),))(get_bell)
    assert "refusal BELL_GONE is declared twice" in refused(domain)


def test_a_role_with_a_taken_name_is_refused():
    roles = (Role("ringer", "operator"),)
    said = refused(bell(roles=roles), Domain("other", roles=roles))
    assert "role ringer is declared twice" in said


@pytest.mark.parametrize("door", ["command", "route"])
def test_an_undeclared_role_is_refused(door):
    domain = bell(roles=(Role("ringer", "operator"),))
    if door == "command":
        domain.command(roles=("ringer", "rnger"))(ring)
    else:
        domain.route("GET", "/bells", roles=("ringer", "rnger"))(get_bell)
    assert "no domain declares the role 'rnger'" in refused(domain)


def test_a_command_cannot_have_both_visitors_and_roles():
    domain = bell(roles=(Role("ringer", "operator"),))
    domain.command(roles=("ringer",), visitors=True)(ring)
    assert "it cannot have both visitors and roles" in refused(domain)


@pytest.mark.parametrize(
    "hook", ["arrives", "disconnects", "arrives_first", "leaves_last", "resyncs"]
)
def test_a_second_hook_does_not_replace_the_first(hook):
    domain = bell()
    getattr(domain, hook)(ring)
    with pytest.raises(WrongDeclaration, match=r"is declared twice: .*\.ring:.* and .*other_ring"):
        getattr(domain, hook)(other_ring)


def test_a_copy_of_a_registry_is_checked_too():
    registry = load_domains(SYSTEMS)
    with pytest.raises(WrongDeclaration):
        replace(registry, domains=(*registry.domains, registry.domains[0]))
