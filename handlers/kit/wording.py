"""Values as a reader sees them in a text: in their language, their time zone, on their clock.

A `str` is text that somebody wrote, so it is always quoted (`handlers/kit/visible.py`). Only what
the server or its operator wrote is `Plain`.
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
"""So many characters of a quoted text are shown."""
LOCALES = {"en": "en_GB"}
"""Locales whose formats differ from those that CLDR gives the language alone: for `en` it gives
those of the United States."""
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
UNITS_SHOWN_MAX = 2


class Reader(msgspec.Struct, frozen=True):
    """How somebody reads: an ISO 639-1 language, an IANA time zone, and a `24h` or `12h` clock."""

    language: str = FALLBACK
    time_zone: str = "UTC"
    clock: str = "24h"


ANYBODY = Reader()
"""Somebody without an account, whose language nobody knows."""


class Plain(str):
    """A text by the server or its operator, which is shown without quotation marks."""


class Code(Plain):
    """A pincode or the like, which a mail shows large."""


Value = str | int | datetime | timedelta | Money | tuple["Value", ...]
"""A tuple is listed with commas, without what is empty in it."""


def in_words(value: Value, reader: Reader) -> str:
    """One line of visible text that stands for `value`."""
    match value:
        case Plain():
            return one_line(value)
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
    """The locale whose formats go with a language that there are messages in."""
    return Locale.parse(LOCALES.get(language, language))


def _format_moment(moment: datetime, reader: Reader, locale: Locale) -> str:
    """Date, time and zone: the zone is named, since mail is read anywhere."""
    local = moment.astimezone(ZoneInfo(reader.time_zone))
    skeleton = "Hm" if reader.clock == "24h" else "hm"
    date = format_date(local, "full", locale=locale)
    time = format_skeleton(skeleton, local, tzinfo=local.tzinfo, locale=locale)
    return f"{date}, {time} ({reader.time_zone})"


def _format_duration(duration: timedelta, locale: Locale) -> str:
    """The two largest units that are not zero, to the second."""
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
