"""A domain declares its rules beside its code; they become settings with unique names."""

import ast
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from handlers import SYSTEMS
from handlers.consulting.availability.rules import AvailabilityRules
from handlers.kit.contract import Nothing, View
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry, load_domains
from handlers.kit.rules import KitRules, UnknownRule
from handlers.kit.settings import UnusableSetting
from handlers.kit.uniqueness import WrongDeclaration
from handlers.platform.auth.rules import AuthRules
from server.setting_values import describe
from server.settings import WrongSetting, list_settings, read_settings
from tests.test_architecture import Tree
from tests.world import ROOT, one_database


class BellRules(msgspec.Struct, frozen=True):
    """How bells ring."""

    bell_rings_s: Annotated[int, Meta(ge=1, le=60, description="how long a bell rings")] = 5
    bell_kept_days: Annotated[int, Meta(ge=1, description="how long rings are kept")] = 7
    bell_towers: Annotated[tuple[str, ...], Meta(description="towers, with commas")] = ()

    def __post_init__(self) -> None:
        if len(self.bell_towers) > 2:
            raise UnusableSetting("bell_towers", "there are two towers at most")


class RungView(View):
    """How long it rings, and how long that is kept."""

    rings_s: int
    kept_s: float


def make_bells() -> Domain:
    """A domain with rules of its own, and a command that goes by them."""
    bells = Domain("bells", "/bells", rules=BellRules)

    def look(tx) -> RungView:
        kept = tx.rules.span("bell_kept_days")
        return RungView(rings_s=tx.rules.of(BellRules).bell_rings_s, kept_s=kept.total_seconds())

    @bells.command()
    async def ring(ctx, ask: Nothing) -> RungView:
        """Ring."""
        return await ctx.read(look)

    return bells


def with_bells() -> Registry:
    return Registry((*load_domains(SYSTEMS).domains, make_bells()))


@one_database
async def test_a_rule_of_a_domain_is_set_by_the_environment(make_world):
    world = await make_world((make_bells(),), PARLEY_BELL_RINGS_S="9")
    ana = await (await world.person("ana")).enter("/bells")
    assert await ana.call("/bells", "ring") == {"rings_s": 9, "kept_s": 7 * 86_400}


def test_rules_are_read_by_the_struct_that_declares_them():
    rules = read_settings({"PARLEY_BELL_TOWERS": "a, b"}, with_bells()).rules
    assert rules.of(BellRules) == BellRules(bell_towers=("a", "b"))
    assert rules.of(KitRules).events_kept_days == 7


def test_the_rules_of_a_system_that_is_off_stay_settings():
    settings = {"PARLEY_SYSTEMS": "", "PARLEY_OFFER_S": "9"}
    assert read_settings(settings).rules.of(AvailabilityRules).offer_s == 9


def test_a_rule_that_no_domain_declares_is_an_error():
    rules = read_settings({}).rules
    with pytest.raises(UnknownRule, match="no domain declares the rule 'bell_rings_s'"):
        rules.span("bell_rings_s")
    with pytest.raises(UnknownRule, match="no domain declares BellRules"):
        rules.of(BellRules)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PARLEY_BELL_RINGS_S", "61"),
        ("PARLEY_BELL_RINGS_S", "long"),
        ("PARLEY_BELL_KEPT_DAYS", "36501"),
        ("PARLEY_BELL_TOWERS", ","),
        ("PARLEY_BELL_TOWERS", "a,b,c"),
        ("PARLEY_BELL_RING_S", "5"),
    ],
)
def test_a_wrong_rule_is_refused_in_one_line_that_names_it(variable, value):
    with pytest.raises(WrongSetting, match=rf"\A{variable}.*\Z"):
        read_settings({variable: value}, with_bells())


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("send", "mail_url"),
        ("send", "mail_from"),
        ("identities", "oauth_providers"),
        ("auth", "places_file"),
        ("previews", "link_previews"),
    ],
)
def test_the_settings_of_a_domain_are_declared_beside_its_code(domain, name):
    registry = load_domains(SYSTEMS)
    places = {setting.name: place for place, setting in registry.placed_settings}
    assert places[name] == registry.by_key[f"platform.{domain}"].place


def test_rules_are_listed_with_their_descriptions():
    shown = [describe(one).split(None, 1) for one in list_settings(with_bells())]
    assert ["PARLEY_BELL_RINGS_S", "how long a bell rings [5]"] in shown
    assert ["PARLEY_BELL_TOWERS", "towers, with commas"] in shown


def refusal_of(*domains: Domain) -> str:
    with pytest.raises(WrongDeclaration) as refused:
        Registry(domains)
    return str(refused.value)


def rules_of(kind: object, **default: object) -> type[msgspec.Struct]:
    """A struct with one rule, `bell_rings_s` unless `default` names another."""
    (name, value), *_ = default.items() or [("bell_rings_s", 1)]
    return msgspec.defstruct("Rules", [(name, kind, value)], frozen=True)


def test_two_rules_of_one_name_stop_the_start():
    other = rules_of(Annotated[int, Meta(description="how long another bell rings")])
    first, second = Domain("bells", rules=BellRules), Domain("gongs", rules=other)
    expected = f"setting bell_rings_s is declared twice: {first.place} and {second.place}"
    assert refusal_of(first, second) == expected


def test_a_rule_of_the_kit_or_the_server_is_declared_by_no_domain():
    kind = Annotated[int, Meta(description="how long")]
    bells = Domain("bells", rules=rules_of(kind, events_kept_days=1))
    assert refusal_of(bells).startswith("setting events_kept_days is declared twice: the kit and ")
    bells = Domain("bells", rules=rules_of(kind, port=1))
    with pytest.raises(WrongDeclaration, match="setting port is declared twice: the server and"):
        read_settings({}, Registry((bells,)))


def test_a_rule_has_a_default_and_a_description():
    kind = Annotated[int, Meta(description="how long")]
    without = msgspec.defstruct("Without", [("bell_rings_s", kind)])
    for declared, said in (
        (without, "setting bell_rings_s has no default"),
        (rules_of(int), "setting bell_rings_s has no description"),
    ):
        bells = Domain("bells", rules=declared)
        assert refusal_of(bells) == f"{bells.place}: {said}"


def test_a_retention_needs_a_declared_rule():
    bells = make_bells()

    def forget_rings(tx, before, limit):
        return 0

    bells.forgets(kept="bell_kept_days")(forget_rings)
    assert Registry((bells,)).retentions
    other = Domain("gongs")
    other.forgets(kept="gong_kept_days")(forget_rings)
    assert refusal_of(other).endswith("no domain declares the rule 'gong_kept_days'")


def test_every_duration_in_the_code_names_a_declared_rule():
    """The type checker knows the fields of a struct, but not the names given to `span`."""
    rules = {name for one in load_domains(SYSTEMS).rules for name in one.__struct_fields__}
    named = {
        (name, f"{module.path}:{node.lineno}")
        for module in Tree(ROOT).modules
        for node in ast.walk(module.tree)
        if (name := name_of_duration(node))
    }
    assert len(named) > 20
    assert {place for name, place in named if name not in rules} == set()


def name_of_duration(node: ast.AST) -> str | None:
    """`x` of `tx.rules.span("x")`, or None for other nodes."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("rules.span"):
        return None
    argument = node.args[0]
    return argument.value if isinstance(argument, ast.Constant) else None


def test_a_rule_is_readable_only_through_its_struct():
    """So the type checker knows its type and reports a misspelled name."""
    rules = read_settings({}).rules
    assert rules.of(AuthRules).password_length_min == 8
    assert not hasattr(rules, "password_length_min")
