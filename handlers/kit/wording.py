"""Formats values for a reader: by their language, time zone and clock.

A `str` is text that a user wrote, so it is always quoted (`handlers/kit/visible.py`). Text that the
server or its operator wrote is `Plain`.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, get_currency_precision
from babel.units import format_unit

from handlers.kit.contract import Money
from handlers.kit.visible import SPACES, one_line, quoted

FALLBACK = "en"
QUOTED_MAX = 80
"""The longest quoted text, in characters; the rest becomes an ellipsis."""
PASSAGE_MAX = 500
"""The same for a `Passage`."""
LOCALES = {"en": "en_GB"}
"""The locale of a language, where it is not the language alone: CLDR's `en` is American English."""
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
UNITS_SHOWN_MAX = 2


class Reader(msgspec.Struct, frozen=True):
    """The preferences of a reader: ISO 639-1 language, IANA time zone, `24h` or `12h` clock."""

    language: str = FALLBACK
    time_zone: str = "UTC"
    clock: str = "24h"


ANYBODY = Reader()
"""A reader without an account, so without preferences."""


class Plain(str):
    """Text that the server or its operator wrote; it is not quoted."""


class Passage(str):
    """A longer text that a user wrote, such as a reason. It is quoted too, and cut later."""


class Code(Plain):
    """A pincode, which an email shows in large type."""


Value = str | int | datetime | timedelta | Money | tuple["Value", ...]
"""A tuple becomes a list with commas; empty parts are left out."""


def in_words(value: Value, reader: Reader) -> str:
    """`value` as one line of visible text."""
    match value:
        case Plain():
            return one_line(value)
        case Passage():
            return quoted(value, PASSAGE_MAX) if value else ""
        case str():
            return quoted(value, QUOTED_MAX) if value else ""
        case tuple():
            return ", ".join(filter(None, (in_words(one, reader) for one in value)))
    return _formatted(value, reader).translate(SPACES)


def _formatted(value: int | datetime | timedelta | Money, reader: Reader) -> str:
    locale = locale_of(reader.language)
    match value:
        case datetime():
            return _format_moment(value, reader, locale)
        case timedelta():
            return _format_duration(value, locale)
        case Money():
            return _format_money(value, locale)
    return format_decimal(value, locale=locale)


@cache
def locale_of(language: str) -> Locale:
    """The locale that formats values in messages of this language."""
    return Locale.parse(LOCALES.get(language, language))


def _format_moment(moment: datetime, reader: Reader, locale: Locale) -> str:
    """Date, time and zone; the zone is named because email is read anywhere."""
    local = moment.astimezone(ZoneInfo(reader.time_zone))
    skeleton = "Hm" if reader.clock == "24h" else "hm"
    date = format_date(local, "full", locale=locale)
    time = format_skeleton(skeleton, local, tzinfo=local.tzinfo, locale=locale)
    return f"{date}, {time} ({reader.time_zone})"


def _format_duration(duration: timedelta, locale: Locale) -> str:
    """The two largest units that are not zero, rounded to seconds."""
    left, parts = round(duration.total_seconds()), []
    for unit, seconds in UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(format_unit(count, f"duration-{unit}", locale=locale))
    nothing = format_unit(0, "duration-second", locale=locale)
    return format_list(parts[:UNITS_SHOWN_MAX] or [nothing], style="unit", locale=locale)


def _format_money(money: Money, locale: Locale) -> str:
    amount = Decimal(money.amount).scaleb(-get_currency_precision(money.currency))
    return format_currency(amount, money.currency, locale=locale)
