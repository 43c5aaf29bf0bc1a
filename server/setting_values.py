"""Parses and checks the values of settings from environment variables."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import msgspec

from handlers.kit.settings import Setting

PREFIX = "PARLEY_"
NUMBER_MAX = 10**9
"""More than any count needs. As seconds it is 30 years, so dates do not overflow."""
DAYS_MAX = 36_500


class WrongSetting(Exception):
    """A setting that cannot be used; its text is the one line that the operator sees."""


def variable_of(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def read_all(settings: Iterable[Setting], environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of these settings by name, with defaults; raises WrongSetting."""
    known = {variable_of(setting.name): setting for setting in settings}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise WrongSetting(f"{variable} is not a setting (run.py --help lists them)")
    return {one.name: _value_of(variable, one, environ) for variable, one in known.items()}


def _value_of(variable: str, setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(variable)
    if text:
        return read(variable, setting.kind, text)
    if text is not None and is_list(setting.kind):
        return ()  # set, but empty: for most lists the same as the default
    return setting.default


def describe(setting: Setting) -> str:
    """A line about a setting for the operator, with its default."""
    default = setting.default
    text = ", ".join(default) if isinstance(default, tuple) else str(default)
    shown = f" [{text}]" if default not in ("", (), {}) else ""
    return f"  {variable_of(setting.name):<34} {setting.description}{shown}"


def is_list(kind: Any) -> bool:
    """Whether a setting is a list, which may be set to an empty value."""
    return get_origin(get_args(kind)[0]) is tuple


def read(variable: str, kind: Any, text: str) -> Any:
    """Parse the text of a variable by the type of its setting; raises WrongSetting."""
    shape = get_origin(get_args(kind)[0])
    if shape is dict or (shape is tuple and text.lstrip().startswith("[")):
        return _secret_value(variable, kind, text)
    _check(variable, text)
    try:
        if shape is tuple:
            return split_list(text)
        value = msgspec.convert(text, kind, strict=False)
        if isinstance(value, int | float):
            check_number(variable, value)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise WrongSetting(f"{variable}={text!r}: {error}") from None
    return value


def _check(variable: str, text: str) -> None:
    """Raises WrongSetting, which never shows the text, since it may contain a password."""
    try:
        check_text(variable, text)
    except ValueError as error:
        raise WrongSetting(f"{variable}: {error}") from None


def _secret_value(variable: str, kind: Any, text: str) -> Any:
    """Parse JSON that contains secrets, which no error shows."""
    try:
        check_names(text)
        return msgspec.json.decode(text, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise WrongSetting(f"{variable}: {error}") from None


def check_text(variable: str, text: str) -> None:
    """Raises ValueError unless the text is one line of visible characters, and not blank.

    A secret may end with a line break, because files do.
    """
    if not text.strip():
        raise ValueError("it is blank; unset it to use the default")
    if "SECRET" in variable:
        return
    if text != text.strip():
        raise ValueError("it begins or ends with a space or a line break")
    if not text.isprintable():
        raise ValueError("it contains a control character")


def check_number(variable: str, number: float) -> None:
    """Raises ValueError for a number that is too large."""
    most = DAYS_MAX if variable.endswith("_DAYS") else NUMBER_MAX
    if not -math.inf < number <= most:
        raise ValueError(f"Expected a number <= {most:,}")


def split_list(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated list; raises ValueError if there are none."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise ValueError("the list is empty; unset it to use the default")
    return parts


def check_names(text: str) -> None:
    """Raises ValueError for a duplicate name in a JSON object: the last would silently win."""
    json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the JSON has a duplicate name in one object")
    return members


def fault_of(database_url: str, files_url: str) -> str | None:
    """The fault of an incomplete database or files URL; None if there is none."""
    if database_url in ("sqlite:///", "sqlite:///:memory:"):
        return "PARLEY_DATABASE_URL must name a file after sqlite:///, not :memory:"
    if files_url == "s3://":
        return "PARLEY_FILES_URL must name a bucket after s3://"
    return None
