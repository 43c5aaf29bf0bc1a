"""Every domain has all its declared messages in every language."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.plurals import get_plural

from handlers import SYSTEMS
from handlers.kit.contract import Event
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry, load_domains
from handlers.kit.translations import COUNT, Language, placeholders_in
from tests.kit.test_translations import write

REGISTRY = load_domains(SYSTEMS)
LANGUAGES = ("de", "en")


def list_faults(domains: Sequence[Domain]) -> list[str]:
    """Missing, unused and wrong messages, each with its file."""
    languages = {one for domain in domains for one in domain.messages.languages}
    return [
        fault
        for domain in domains
        if domain.notices or domain.mails or domain.messages.languages
        for language in sorted(languages)
        for fault in _faults_of(domain, language)
    ]


def _faults_of(domain: Domain, language: str) -> Iterator[str]:
    where = f"{domain.name}/{language}.po"
    spoken = domain.messages.languages.get(language)
    if spoken is None:
        yield f"{where} is missing"
        return
    if spoken.catalog.plural_expr != get_plural(language).plural_expr:
        yield f"{where} has the plural forms of another language"
    messages = {_name(one): one for one in spoken.catalog if one.id and not one.fuzzy}
    declared: set[str] = set()
    for one in (*domain.notices, *domain.mails, *domain.sentences):
        declared |= set(one.names)
        yield from (f"{where}: {name} is missing" for name in one.names if name not in messages)
        found = [messages[name] for name in one.names if name in messages]
        yield from (f"{where}: {fault}" for fault in _faults_in(found, one.says, spoken))
    yield from (f"{where}: {name} is not declared" for name in messages.keys() - declared)


def _faults_in(messages: list[Message], says: frozenset[str], spoken: Language) -> Iterator[str]:
    used: set[str] = set()
    for message in messages:
        name, forms = _name(message), _forms(message)
        if not all(forms) or (message.pluralizable and len(forms) != spoken.catalog.num_plurals):
            yield f"{name} is not translated"
        try:
            placeholders = set().union(*map(placeholders_in, filter(None, forms)))
        except ValueError as error:
            yield f"{name}: {error}"
            continue
        used |= placeholders
        known = says & {COUNT} if name.endswith(".title") else says
        yield from (f"{name}: {{{one}}} is unknown" for one in sorted(placeholders - known))
        if message.pluralizable and COUNT not in says:
            yield f"{name} has plural forms and no count"
    yield from (f"{_name(messages[0])}: {{{one}}} is never said" for one in sorted(says - used))


def _name(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def test_every_domain_has_every_message_in_every_language() -> None:
    assert list_faults(REGISTRY.domains) == []
    assert {lang for d in REGISTRY.domains for lang in d.messages.languages} == set(LANGUAGES)


def test_every_file_of_messages_is_of_a_domain() -> None:
    """A file elsewhere would never be read."""
    root = Path(__file__).parent.parent / "handlers"
    read = sum(len(domain.messages.languages) for domain in REGISTRY.domains)
    assert len(list(root.rglob("*.po"))) == read


def test_every_kind_is_declared_by_one_domain() -> None:
    kinds: dict[str, set[str]] = {}
    for domain in REGISTRY.domains:
        for rule in domain.notices:
            kinds.setdefault(rule.kind, set()).add(domain.name)
    assert [kind for kind, names in kinds.items() if len(names) > 1] == []
    mails = [mail.kind for domain in REGISTRY.domains for mail in domain.mails]
    assert len(mails) == len(set(mails))


class Greeted(Event):
    """Somebody was greeted."""

    NAME = "GREETED"
    user_id: str


GOOD = """
msgid "greeted.title"
msgid_plural "greeted.title"
msgstr[0] "One greeting"
msgstr[1] "{count} greetings"

msgid "greeted.body"
msgstr "{who} greeted you."
"""
BAD = {
    "de.po: greeted.body is missing": GOOD.replace("greeted.body", "greeting.body"),
    "de.po: greeting.body is not declared": GOOD + 'msgid "greeting.body"\nmsgstr "x"\n',
    "de.po: greeted.body is not translated": GOOD.replace("{who} greeted you.", ""),
    "de.po: greeted.title is not translated": GOOD.replace("{count} greetings", ""),
    "de.po: greeted.body: {whom} is unknown": GOOD.replace("{who}", "{whom}"),
    "de.po: greeted.title: {who} is unknown": GOOD.replace("One greeting", "{who}"),
    "de.po: greeted.title: {who} is never said": GOOD.replace("{who}", "Somebody"),
    "de.po: greeted.body: {who.x} is not a valid name": GOOD.replace("{who}", "{who.x}"),
}


def domain_saying(folder: Path, **texts: str) -> Domain:
    domain = Domain("greeting")
    domain.notifies(Greeted, "greeted", says=("who", COUNT))(lambda tx, event: [])
    for language, text in texts.items():
        write(folder, language, text)
    domain.messages.read(folder)
    return domain


def test_a_domain_with_all_messages_has_no_faults(tmp_path: Path) -> None:
    assert list_faults([domain_saying(tmp_path, en=GOOD, de=GOOD)]) == []


@pytest.mark.parametrize(("fault", "german"), BAD.items(), ids=BAD)
def test_a_fault_is_found(fault: str, german: str, tmp_path: Path) -> None:
    assert f"greeting/{fault}" in list_faults([domain_saying(tmp_path, en=GOOD, de=german)])


def test_a_fuzzy_message_is_a_missing_one(tmp_path: Path) -> None:
    german = GOOD.replace('msgid "greeted.body"', '#, fuzzy\nmsgid "greeted.body"')
    faults = list_faults([domain_saying(tmp_path, en=GOOD, de=german)])
    assert "greeting/de.po: greeted.body is missing" in faults


def test_a_language_of_one_domain_is_asked_of_all(tmp_path: Path) -> None:
    greeting = domain_saying(tmp_path, en=GOOD, fr=GOOD)
    faults = list_faults([*REGISTRY.domains, greeting])
    assert "booking/fr.po is missing" in faults
    assert "greeting/de.po is missing" in faults
    assert "greeting/fr.po has the plural forms of another language" in faults


def test_one_consumer_sends_all_notices() -> None:
    consumers = Registry(REGISTRY.domains).consumers
    told = {event.NAME for event in consumers["platform.notifications.tell_people"].events}
    declared = {rule.event.NAME for domain in REGISTRY.domains for rule in domain.notices}
    assert told == declared
    assert {"BOOKING_REQUESTED", "PINCODES_GUESSED"} <= told
