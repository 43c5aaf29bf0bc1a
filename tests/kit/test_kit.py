"""Refusals, keys, sent fields, codes, and the declarations of a domain."""

import pytest
from cryptography.fernet import InvalidToken
from msgspec import UNSET, UnsetType

from handlers.kit import codes, errors
from handlers.kit.contract import Change, Nothing, View, event_stored_as, given, stored_name
from handlers.kit.domain import Domain
from handlers.kit.errors import ALWAYS_POSSIBLE, Invalid, Refusal
from handlers.kit.keys import Keys
from handlers.kit.life import SessionEnded
from handlers.kit.registry import Registry
from handlers.kit.roles import Role
from handlers.kit.rules import Rules
from handlers.kit.uniqueness import WrongDeclaration
from handlers.platform.pincodes.rules import PincodeRules
from tests.kit import probe as probes

SECRET = "a secret that is long enough to be one"


def test_a_refusals_code_is_its_name_and_its_message_its_docstring():
    codes_of = {refusal.CODE for refusal in ALWAYS_POSSIBLE}
    assert codes_of == {
        "UNKNOWN_COMMAND", "INVALID", "FORBIDDEN", "NOT_FOUND", "RATE_LIMITED", "CONFLICT",
        "UNAVAILABLE", "INTERNAL",
    }  # fmt: skip
    assert str(errors.NotFound()) == "It does not exist, or you do not have access to it."
    assert str(errors.NotFound("Gone.")) == "Gone."


def test_a_refusal_commits_only_if_it_is_marked_so():
    assert probes.Counted().keeps
    assert not probes.Full().keeps
    assert probes.Full().kept().keeps
    assert not probes.Full().keeps, "one that was kept keeps no other"


def test_every_refusal_has_a_description_and_a_unique_code():
    refusals = [cls for cls in Refusal.__subclasses__() if not cls.__module__.startswith("tests.")]
    assert all((cls.__doc__ or "").strip().endswith(".") for cls in refusals)
    assert len({cls.CODE for cls in refusals}) == len({cls.__name__ for cls in refusals})


def test_a_sealed_text_opens_only_with_the_same_secret():
    sealed = Keys(SECRET).seal("493201")
    assert "493201" not in sealed
    assert Keys(SECRET).open(sealed) == "493201"
    with pytest.raises(InvalidToken):
        Keys(SECRET + "!").open(sealed)


def test_fingerprints_differ_by_secret_part_and_order():
    prints = {
        Keys(SECRET).fingerprint("a", "b"),
        Keys(SECRET).fingerprint("b", "a"),
        Keys(SECRET).fingerprint("a", "b", ""),
        Keys(SECRET).fingerprint("ab"),
        Keys(SECRET + "!").fingerprint("a", "b"),
    }
    assert len(prints) == 5
    assert Keys(SECRET).fingerprint("a", "b") in prints


def test_fingerprints_distinguish_texts_that_contain_the_separator():
    keys = Keys(SECRET)
    assert keys.fingerprint("a\0b") != keys.fingerprint("a", "b")
    assert keys.fingerprint("a\0", "b") != keys.fingerprint("a", "\0b")
    assert keys.fingerprint("\ud800"), "what is no Unicode is hashed too"


def test_keys_of_different_purposes_differ():
    keys = Keys(SECRET)
    assert keys.tokens != keys._prints
    assert len(keys.tokens) == len(keys._prints) == 32


class Ask(Change):
    name: str | UnsetType = UNSET
    note: str | UnsetType | None = UNSET


def test_given_returns_only_the_fields_that_were_sent():
    assert dict(given(Ask())) == {}
    assert dict(given(Ask(name="x", note=None, request_id="r"))) == {"name": "x", "note": None}


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (codes.check_language, ("en", "de", "ar"), ("xx", "EN", "eng", "")),
        (codes.check_country, ("DE", "GB", "IN"), ("de", "EU", "XX", "UK", "")),
        (codes.check_currency, ("EUR", "USD", "JPY"), ("eur", "XYZ", "")),
        (codes.check_zone, ("UTC", "Europe/Berlin"), ("Berlin", "europe/berlin", "../UTC", "")),
    ],
)
def test_only_codes_of_the_public_standards_are_accepted(check, good, bad):
    for code in good:
        check("$.field", code)
    for code in bad:
        with pytest.raises(Invalid) as refused:
            check("$.field", code)
        assert refused.value.details["path"] == "$.field"


def test_a_rule_is_a_duration_in_the_unit_of_its_name():
    rules = Rules(PincodeRules())
    assert rules.span("pincode_life_s").total_seconds() == 600
    assert rules.span("answers_kept_days").days == 30


def test_a_command_is_declared_once_and_known_by_its_namespace_and_name():
    domain = Domain("tried", "/tried", roles=(Role("admin", "operator"),))

    @domain.command(roles=("admin",), rate="attempts")
    async def do(ctx, ask: Nothing) -> View: ...

    command = Registry((domain,)).commands["/tried", "do"]
    assert command.roles == {"admin"}
    assert (command.rate, command.changes) == ("attempts", False)
    domain.command(name="do")(do)
    with pytest.raises(WrongDeclaration, match="command /tried do is declared twice"):
        Registry((domain,))


def test_events_of_two_systems_with_one_name_get_different_stored_names():
    places = ("handlers.platform.search.contracts", "handlers.learning.search.contracts")
    events = [type("Found", (), {"NAME": "FOUND", "__module__": place}) for place in places]
    assert [stored_name(event) for event in events] == ["platform.FOUND", "learning.FOUND"]
    assert stored_name(SessionEnded) == "kernel.SESSION_ENDED"


def test_the_registry_finds_all_consumers_of_an_event():
    staff = Domain("staff", roles=(Role("moderator", "operator"), Role("admin", "operator")))
    registry = Registry((staff, probes.probe, probes.listener, probes.carrier))
    heard = [hearer.name for hearer in registry.hearers()[probes.ProbeSaid]]
    assert heard == ["listener.hear_it", "carrier.carry_outside"]


def test_an_event_is_found_by_its_name():
    assert event_stored_as("PROBE_SAID") is probes.ProbeSaid
    with pytest.raises(KeyError):
        event_stored_as("NOTHING_OF_THE_KIND")
