"""All code that reads strangers' text takes linear time, also for the worst texts of maximum size.

The limits in seconds are several times what an ordinary machine needs.
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
from handlers.platform.uploads.magic import HEAD, charset_of
from server.dispatch import decode
from server.posts import FRAME_MAX
from server.wire import ClientPacket
from storage.platform.chat.search import words_of
from tests.parts.cost import check_linear, cost_s
from tests.test_texts import requests, texts_in
from tests.world import Stopped

MESSAGE_MAX = 8_000
PAGE_MAX = 262_144
USER_AGENT_MAX = 200


def repeat(unit: str):
    """Return a function that repeats `unit` up to a given size."""
    return lambda size: (unit * (size // len(unit) + 1))[:size]


TEXTS = {
    "one letter": repeat("a"),
    "two letters": repeat("ab"),
    "two letters with spaces": repeat("a b "),
    "one letter with spaces": repeat("a "),
    "a stretched word": lambda size: "g" + "o" * (size - 2) + "d",
    "digits that look like letters": repeat("1"),
    "digits between letters": repeat("1a5o"),
    "dots between letters": repeat("b.a.d "),
    "the first word of every phrase": repeat("bad "),
    "words of one stem": repeat("good "),
    "spaces": repeat(" "),
    "underscores": repeat("_"),
    "line breaks": repeat("\n"),
    "characters that expand to six": repeat("\u3316"),
    "characters that expand to a sentence": repeat("\ufdfa"),
    "letters that decompose and recompose": repeat("\u1f82"),
    "syllables": repeat("\u1100\u1161\u11a8"),
    "combining marks of alternating classes": lambda size: "a" + repeat("\u0301\u0327")(size - 1),
    "combining marks in reverse order": lambda size: (
        "a" + "\u0301" * (size // 2) + "\u0327" * (size // 2 - 1)
    ),
    "combining marks of all classes": repeat("".join(map(chr, range(0x591, 0x5AF)))),
    "combining marks that decompose into two": repeat("\u0344\u0327"),
    "signs that decompose into two marks": repeat("\u0f73"),
    "runs of the maximum number of marks": repeat("\u0327\u0301" * 15 + "\u200b"),
    "look-alike letters": repeat("\u0430"),
    "emoji and joiners": repeat("\U0001f469\u200d"),
    "variation selectors": repeat("\ufe0f"),
    "tag characters": lambda size: "\U0001f3f4" + "\U000e0061" * (size - 1),
    "invisible characters": repeat("\u200b\u202e\u00ad"),
}
PHRASES = [" ".join(["bad"] * count) for count in range(1, 9)]
PHRASES += [" ".join([*["bad"] * count, "end"]) for count in range(1, 8)]
STEMS = [f"g{'o' * count}d" for count in range(1, 60)]
FILTER = Filter(WordList(f"flag: {entry}" for entry in PHRASES + STEMS))


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_the_word_filter_takes_linear_time(make):
    check_linear(FILTER.check, make, MESSAGE_MAX, within_s=0.12)


@pytest.mark.parametrize(
    "kind", ["combining marks of alternating classes", "signs that decompose into two marks"]
)
def test_the_word_filter_takes_linear_time_for_a_whole_text_file(kind):
    check_linear(FILTER.check, TEXTS[kind], TEXT_FILE_MAX, within_s=0.5)
    assert charset_of(TEXTS[kind](HEAD // 4).encode()) == "utf-8"


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_checks_and_conversions_of_lines_take_linear_time(make):
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
    "nested brackets": lambda size: "https://a.com/" + "(" * 900 + ")" * 1_000,
    "links of maximum length": repeat("https://a.com/" + ")" * 1_985 + " "),
    "many links": repeat("https://a "),
    "links inside words": repeat("xhttps://"),
    "no links": repeat("https:/ "),
    "a host of look-alike letters": repeat("https://" + "\u0430" * 1_985 + ".com "),
    "a host of combining marks": repeat("https://a" + "\u0301\u0327" * 990 + ".com "),
    "a host of one-letter labels": repeat("https://" + "a." * 990 + " "),
    "a host of two-letter labels": repeat("https://a" + ".aa" * 660 + "- "),
    "percent signs": repeat("https://a.com/" + "%" * 1_980 + " "),
    "parent segments": repeat("https://a.com/" + "../" * 660 + " "),
}


@pytest.mark.parametrize("make", LINKS.values(), ids=LINKS)
def test_finding_links_is_fast(make):
    assert cost_s(first_link, make(2_000)) < 0.02
    assert cost_s(first_link, make(MESSAGE_MAX)) < 0.02


def test_punctuation_after_a_link_is_read_once():
    assert cost_s(first_link, LINKS["closing brackets"](2_000)) < 0.001_2


PAGES = {
    "unclosed tags": repeat("<meta "),
    "unclosed quotes": repeat('<meta "'),
    "unclosed title tags": repeat("<title "),
    "nested titles": repeat("<title>"),
    "title tags with many spaces": repeat("<title " + " " * 200),
    "opening angle brackets": repeat("<"),
    "many attributes": repeat("<meta og:" + "a " * 1_015 + ">"),
    "unclosed attribute values": repeat("<meta og:" + "a=' " * 500 + ">"),
    "slashes": repeat("<meta og:" + "/" * 2_030 + ">"),
    "entities": repeat('<meta og: content="' + "&am" * 670 + '">'),
    "a title of entities": lambda size: "<title>" + "&#" * 1_000 + "</title>" + "a" * size,
    "a title of combining marks": lambda size: (
        "<title>a" + "\u0301\u0327" * 900 + "</title>" + "a" * size
    ),
    "charset declarations": repeat("<meta charset "),
}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_reading_web_pages_takes_linear_time(make):
    def read(text: str) -> None:
        read_page(text.encode()[:PAGE_MAX], None)

    check_linear(read, make, PAGE_MAX, within_s=0.7)


@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "big5", "gb18030", "euc-kr"])
def test_reading_undecodable_web_pages_takes_linear_time(charset):
    check_linear(lambda page: read_page(page, charset), lambda n: b"\x81" * n, PAGE_MAX, 0.1)


def patterns() -> dict[str, tuple[str, int]]:
    """Field → pattern and maximum length, for all patterns of all requests."""
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
def test_patterns_of_requests_take_linear_time(pattern, most):
    search = re.compile(pattern).search
    for first, unit, last in itertools.product(("", "https://", "a@"), UNITS, ("", "\n", "-", "1")):

        def make(size: int, parts: tuple[str, str, str] = (first, unit, last)) -> str:
            return parts[0] + repeat(parts[1])(size) + parts[2]

        check_linear(search, make, most, within_s=0.02)


@pytest.mark.parametrize("unit", [" - at `", " - at", "`", "a"])
def test_validation_errors_take_linear_time(unit):
    check_linear(Invalid.of, repeat(unit), FRAME_MAX, within_s=0.02)


NAMED = {"platform": ("chat",), "consulting": ("call",)}
COMMANDS = {c.request: c for c in load_domains(NAMED).commands.values()}
IDS = '"call_id":"%s","to":"%s"' % (("0" * 36,) * 2)
PAYLOADS = {
    "many keys": (SendMessage, lambda n: "{" + ",".join(f'"{k}":1' for k in range(n // 9)) + "}"),
    "one long key": (SendMessage, lambda n: '{"' + " - at `" * (n // 7) + '":1}'),
    "deep nesting": (Signal, lambda n: f'{{{IDS},"data":' + "[" * n),
    "nested NULs": (Signal, lambda n: f'{{{IDS},"data":' + '[["\\u0000"]],' * (n // 13) + "1}"),
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
def test_decoding_payloads_takes_linear_time(request_, make):
    def read(payload: bytes) -> None:
        with suppress(Refusal):
            decode(COMMANDS[request_], payload)

    check_linear(read, lambda size: make(size).encode(), FRAME_MAX - 200, within_s=0.1)


PACKETS = {
    "a long id": lambda n: "2" + "1" * n,
    "a namespace of slashes": lambda n: "2" + "/" * n,
    "deep nesting": lambda n: "2" + "[" * n,
    "lone surrogates": lambda n: '2["a","' + "\\ud800" * (n // 6) + '"]',
    "many arguments": lambda n: '2["a"' + ",1" * (n // 2) + "]",
    "many undecodable arguments": lambda n: '2["a","\\ud800"' + ",{}" * (n // 3) + "]",
    "a very long number": lambda n: '2["a",' + "1" * n + "]",
    "a very long number after a lone surrogate": lambda n: '2["a","\\ud800",' + "1" * n + "]",
    "a connect with a very long number": lambda n: '0{"a":' + "1" * n + "}",
    "a connect with deep nesting": lambda n: '0{"a":' + "[" * n,
}


@pytest.mark.parametrize("make", PACKETS.values(), ids=PACKETS)
def test_decoding_packets_takes_linear_time(make):
    def read(packet: str) -> None:
        with suppress(ValueError, RecursionError):
            ClientPacket(packet)

    check_linear(read, make, FRAME_MAX - 100, within_s=0.03)


AGENTS = ("a", ";; ", "; ", "U; ;", "1.", "a/", "(", "Linux; ", "Android ", "; a Build/", "bot")
AGENTS += ("(Trident/GT-SamsungBrowser", "iPhone OS 1_", "Windows NT ", "Mozilla/5.0 (", "\u00e9")


@pytest.mark.parametrize("unit", AGENTS)
def test_reading_user_agents_is_fast(unit):
    """User agents are short but many: each call gets a new one, which no cache knows."""
    fresh = itertools.count()
    text = repeat(unit)(USER_AGENT_MAX - 8)
    assert cost_s(lambda _: name_of(f"{text}{next(fresh):8}"), text) < 0.05


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_writing_mails_is_fast(make):
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
def test_paths_and_unknown_names_are_refused_as_time_zones(zone):
    with pytest.raises(Invalid):
        check_zone("$.time_zone", zone)
