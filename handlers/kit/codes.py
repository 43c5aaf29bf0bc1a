"""The standard lists that fields are checked against: ISO 639-1, ISO 3166-1, ISO 4217, IANA."""

import zoneinfo

from babel import Locale
from babel.numbers import list_currencies

from handlers.kit.errors import Invalid

_ENGLISH = Locale("en")
# CLDR also has groupings and private codes, which are not part of ISO 3166-1.
_GROUPINGS = {"EU", "EZ", "UN", "QO"}
_PRIVATE = {"AC", "CP", "CQ", "DG", "EA", "IC", "TA", "XA", "XB", "XK", "ZZ"}

LANGUAGES = frozenset(str(code) for code in _ENGLISH.languages if len(str(code)) == 2)
COUNTRIES = (
    frozenset(str(code) for code in _ENGLISH.territories if len(str(code)) == 2)
    - _GROUPINGS
    - _PRIVATE
)
CURRENCIES = frozenset(list_currencies())
_NO_PLACES = {"localtime", "posixrules", "Factory"}
"""Files beside the time zones: the machine's own zone, and placeholders."""
ZONES = frozenset(zoneinfo.available_timezones() - _NO_PLACES)


def check_language(path: str, code: str) -> None:
    _check(path, code, LANGUAGES, "an ISO 639-1 language")


def check_country(path: str, code: str) -> None:
    _check(path, code, COUNTRIES, "an ISO 3166-1 alpha-2 country")


def check_currency(path: str, code: str) -> None:
    _check(path, code, CURRENCIES, "an ISO 4217 currency")


def check_zone(path: str, name: str) -> None:
    _check(path, name, ZONES, "an IANA time zone")


def _check(path: str, value: str, known: frozenset[str], expected: str) -> None:
    if value not in known:
        raise Invalid(details={"path": path, "expected": expected})
