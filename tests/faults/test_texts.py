"""Everything that reads strangers' text, with the worst of its kind at the largest size allowed.

Each costs time in proportion to the text. The bounds in seconds are several times what an ordinary
machine needs.
"""

import itertools
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from msgspec import inspect

from handlers.consulting.call.contracts import Signal
from handlers.kit.codes import check_zone
from handlers.kit.errors import Invalid, Refusal
from handlers.kit.registry import load_domains
from handlers.kit.visible import as_file_name, checked_line, one_line, quoted, shortened
from handlers.kit.wording import QUOTED_MAX
from handlers.platform.auth.devices import name_of
from handlers.platform.chat.contracts.messages import SendMessage
from handlers.platform.identities.openid import text_in
from handlers.platform.moderation.filter import Filter
from handlers.platform.moderation.words import WordList
from handlers.platform.previews.links import first_link
from handlers.platform.previews.page import read_page
from handlers.platform.send.contracts import SendNotification
from handlers.platform.send.mail import Mailer
from handlers.platform.uploads.checks import READ_MAX as TEXT_FILE_MAX
from handlers.platform.uploads.magic import HEAD, is_text
from server.dispatch import decode
from server.socket import FRAME_MAX
from server.wire import ClientPacket
from storage.platform.chat.search import words_of
from tests.parts.cost import check_linear, cost_s
from tests.test_texts import requests, texts_in
from tests.world import Stopped

MESSAGE_MAX = 8_000
PAGE_MAX = 262_144
USER_AGENT_MAX = 200


def over(unit: str):
    """Makes `unit` again and again, as long as is asked for."""
    return lambda size: (unit * (size // len(unit) + 1))[:size]


TEXTS = {
    "one letter": over("a"),
    "two letters": over("ab"),
    "letters one by one": over("a b "),
    "the same letter one by one": over("a "),
    "a long word drawn out": lambda size: "g" + "o" * (size - 2) + "d",
    "digits that are letters too": over("1"),
    "digits among letters": over("1a5o"),
    "dots between letters": over("b.a.d "),
    "what begins every phrase": over("bad "),
    "words of one stem": over("good "),
    "spaces": over(" "),
    "underscores": over("_"),
    "line breaks": over("\n"),
    "characters that become six": over("\u3316"),
    "characters that become a sentence": over("\ufdfa"),
    "letters that are composed and taken apart": over("\u1f82"),
    "syllables": over("\u1100\u1161\u11a8"),
    "marks of alternating classes": lambda size: "a" + over("\u0301\u0327")(size - 1),
    "marks in the reverse order": lambda size: (
        "a" + "\u0301" * (size // 2) + "\u0327" * (size // 2 - 1)
    ),
    "marks of all classes": over("".join(map(chr, range(0x591, 0x5AF)))),
    "marks that become two": over("\u0344\u0327"),
    "signs that become two marks": over("\u0f73"),
    "runs of as many marks as are kept": over("\u0327\u0301" * 15 + "\u200b"),
    "letters that look like others": over("\u0430"),
    "emoji and joiners": over("\U0001f469\u200d"),
    "selectors": over("\ufe0f"),
    "tags": lambda size: "\U0001f3f4" + "\U000e0061" * (size - 1),
    "invisible": over("\u200b\u202e\u00ad"),
}
PHRASES = [" ".join(["bad"] * count) for count in range(1, 9)]
PHRASES += [" ".join([*["bad"] * count, "end"]) for count in range(1, 8)]
STEMS = [f"g{'o' * count}d" for count in range(1, 60)]
FILTER = Filter(WordList(f"flag: {entry}" for entry in PHRASES + STEMS))


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_the_filter(make):
    check_linear(FILTER.check, make, MESSAGE_MAX, within_s=0.12)


@pytest.mark.parametrize("kind", ["marks of alternating classes", "signs that become two marks"])
def test_the_filter_at_a_whole_text_file(kind):
    check_linear(FILTER.check, TEXTS[kind], TEXT_FILE_MAX, within_s=0.5)
    assert is_text(TEXTS[kind](HEAD // 4).encode())


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_lines_and_what_is_made_of_them(make):
    def read(text: str) -> None:
        for reader in (one_line, as_file_name, words_of):
            reader(text)
        shortened(text, 100)
        quoted(text, 100)
        text_in({"name": text}, "name", 100)
        with suppress(ValueError):
            checked_line(text)

    check_linear(read, make, MESSAGE_MAX, within_s=0.1)


LINKS = {
    "closing brackets": lambda size: "https://a.com/" + ")" * (size - 14),
    "brackets and dots": lambda size: "https://a.com/" + ".)" * (size // 2 - 7),
    "brackets after their openings": lambda size: "https://a.com/" + "(" * 900 + ")" * 1_000,
    "links of the greatest length": over("https://a.com/" + ")" * 1_985 + " "),
    "many links": over("https://a "),
    "links inside words": over("xhttps://"),
    "no links": over("https:/ "),
    "a host of letters that become others": over("https://" + "\u0430" * 1_985 + ".com "),
    "a host of marks": over("https://a" + "\u0301\u0327" * 990 + ".com "),
    "a host of labels": over("https://" + "a." * 990 + " "),
    "a host of names": over("https://a" + ".aa" * 660 + "- "),
    "percent signs": over("https://a.com/" + "%" * 1_980 + " "),
    "steps up": over("https://a.com/" + "../" * 660 + " "),
}


@pytest.mark.parametrize("make", LINKS.values(), ids=LINKS)
def test_links(make):
    assert cost_s(first_link, make(2_000)) < 0.02
    assert cost_s(first_link, make(MESSAGE_MAX)) < 0.02


def test_punctuation_after_a_link_is_counted_once():
    assert cost_s(first_link, LINKS["closing brackets"](2_000)) < 0.001_2


PAGES = {
    "tags that do not end": over("<meta "),
    "quotes that do not end": over('<meta "'),
    "titles that do not end": over("<title "),
    "titles in titles": over("<title>"),
    "long titles": over("<title " + " " * 200),
    "openings": over("<"),
    "attributes": over("<meta og:" + "a " * 1_015 + ">"),
    "values that do not end": over("<meta og:" + "a=' " * 500 + ">"),
    "slashes": over("<meta og:" + "/" * 2_030 + ">"),
    "entities": over('<meta og: content="' + "&am" * 670 + '">'),
    "a title of entities": lambda size: "<title>" + "&#" * 1_000 + "</title>" + "a" * size,
    "a title of marks": lambda size: "<title>a" + "\u0301\u0327" * 900 + "</title>" + "a" * size,
    "encodings": over("<meta charset "),
}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_pages(make):
    def read(text: str) -> None:
        read_page(text.encode()[:PAGE_MAX], None)

    check_linear(read, make, PAGE_MAX, within_s=0.7)


@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "big5", "gb18030", "euc-kr"])
def test_pages_of_bytes_that_are_no_text(charset):
    check_linear(lambda page: read_page(page, charset), lambda n: b"\x81" * n, PAGE_MAX, 0.1)


def patterns() -> dict[str, tuple[str, int]]:
    """The patterns of all requests by what has them, and the longest text that each looks at."""
    found = {}
    for request in requests():
        for path, kind in texts_in(inspect.type_info(request), request.__name__):
            inner = kind.type if isinstance(kind, inspect.Metadata) else kind
            pattern = getattr(inner, "pattern", None)
            if pattern is not None:
                found.setdefault(pattern, (path, inner.max_length or FRAME_MAX))
    return {path: (pattern, most) for pattern, (path, most) in found.items()}


UNITS = (" ", "a", "-", ".", "/", "a.", "a-", "a@", "@a", "a@a.", "0", "A", "+", "https://", "\n")


@pytest.mark.parametrize(("pattern", "most"), patterns().values(), ids=patterns())
def test_patterns(pattern, most):
    search = re.compile(pattern).search
    for first, unit, last in itertools.product(("", "https://", "a@"), UNITS, ("", "\n", "-", "1")):

        def make(size: int, parts: tuple[str, str, str] = (first, unit, last)) -> str:
            return parts[0] + over(parts[1])(size) + parts[2]

        check_linear(search, make, most, within_s=0.02)


@pytest.mark.parametrize("unit", [" - at `", " - at", "`", "a"])
def test_what_the_validator_says(unit):
    check_linear(Invalid.of, over(unit), FRAME_MAX, within_s=0.02)


NAMED = {"platform": ("chat",), "consulting": ("call",)}
COMMANDS = {c.request: c for c in load_domains(NAMED).commands.values()}
IDS = '"call_id":"%s","to":"%s"' % (("0" * 36,) * 2)
PAYLOADS = {
    "many keys": (SendMessage, lambda n: "{" + ",".join(f'"{k}":1' for k in range(n // 9)) + "}"),
    "one long key": (SendMessage, lambda n: '{"' + " - at `" * (n // 7) + '":1}'),
    "much depth": (Signal, lambda n: f'{{{IDS},"data":' + "[" * n),
    "depth and NUL": (Signal, lambda n: f'{{{IDS},"data":' + '[["\\u0000"]],' * (n // 13) + "1}"),
    "NUL at the end": (
        Signal,
        lambda n: f'{{{IDS},"data":[' + '{"a":[1]},' * (n // 11) + '"\\u0000"]}',
    ),
    "no NUL": (Signal, lambda n: f'{{{IDS},"data":"' + "\\\\u0000" * (n // 8) + '"}'),
    "a long text": (
        SendMessage,
        lambda n: f'{{"conversation_id":"{"0" * 36}","client_id":"a","text":"' + "\\n" * n + '"}',
    ),
}


@pytest.mark.parametrize(("request_", "make"), PAYLOADS.values(), ids=PAYLOADS)
def test_payloads(request_, make):
    def read(payload: bytes) -> None:
        with suppress(Refusal):
            decode(COMMANDS[request_], payload)

    check_linear(read, lambda size: make(size).encode(), FRAME_MAX - 200, within_s=0.1)


PACKETS = {
    "an id of digits": lambda n: "2" + "1" * n,
    "a namespace of slashes": lambda n: "2" + "/" * n,
    "depth": lambda n: "2" + "[" * n,
    "halves of surrogates": lambda n: '2["a","' + "\\ud800" * (n // 6) + '"]',
    "many arguments": lambda n: '2["a"' + ",1" * (n // 2) + "]",
    "many unreadable arguments": lambda n: '2["a","\\ud800"' + ",{}" * (n // 3) + "]",
    "a number without end": lambda n: '2["a",' + "1" * n + "]",
    "an unreadable number without end": lambda n: '2["a","\\ud800",' + "1" * n + "]",
    "a connect of digits": lambda n: '0{"a":' + "1" * n + "}",
    "a connect of depth": lambda n: '0{"a":' + "[" * n,
}


@pytest.mark.parametrize("make", PACKETS.values(), ids=PACKETS)
def test_packets(make):
    def read(packet: str) -> None:
        with suppress(ValueError, RecursionError):
            ClientPacket(packet)

    check_linear(read, make, FRAME_MAX - 100, within_s=0.03)


AGENTS = ("a", ";; ", "; ", "U; ;", "1.", "a/", "(", "Linux; ", "Android ", "; a Build/", "bot")
AGENTS += ("(Trident/GT-SamsungBrowser", "iPhone OS 1_", "Windows NT ", "Mozilla/5.0 (", "\u00e9")


@pytest.mark.parametrize("unit", AGENTS)
def test_user_agents(unit):
    """They are short, and it is their number that counts: a new one each time, past all caches."""
    fresh = itertools.count()
    text = over(unit)(USER_AGENT_MAX - 8)
    assert cost_s(lambda _: name_of(f"{text}{next(fresh):8}"), text) < 0.05


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_mails(make):
    mailer = Mailer(None, "Parley <parley@example.org>", Stopped(datetime(2030, 1, 1, tzinfo=UTC)))

    def write(text: str) -> None:
        body = quoted(text, QUOTED_MAX)
        mailer._write(
            SendNotification(
                dispatch_id="1",
                channel="email",
                kind="notice",
                to="ada@example.org",
                subject=body,
                text=body,
                html=f"<p>{body}</p>",
            )
        )

    assert cost_s(write, make(200)) < 0.1


ZONES = ("../../etc/passwd", "/etc/localtime", "Europe/../Europe/Paris", "a\0b", "UTC\n", "a" * 64)


@pytest.mark.parametrize("zone", ZONES)
def test_zones_are_of_the_list_and_never_a_path(zone):
    with pytest.raises(Invalid):
        check_zone("$.time_zone", zone)
