"""Refusals: the expected error answers of commands. Each is a class with a code."""

import re
from typing import Any, ClassVar, Self

_AT = " - at `"
_WHAT_MAX, _PATH_MAX = 300, 200
"""Bounds for validator texts, which repeat client input such as the name of an unknown field."""


class Refusal(Exception):
    """An expected error answer. The code is the class's name, the message its docstring.

    A refusal rolls its transaction back, unless `KEEPS` is true (a wrong pincode must count its
    attempt) or the refusal was raised as `refusal.kept()`.
    """

    CODE: ClassVar[str] = "REFUSED"
    KEEPS: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "CODE" not in cls.__dict__:
            cls.CODE = re.sub(
                r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__
            ).upper()

    def __init__(
        self, message: str | None = None, *, details: Any = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        self.details = details
        self.retry_after_s = retry_after_s
        self.keeps = self.KEEPS

    def kept(self) -> Self:
        """This refusal, raised after a change that must be committed (such as an expiry)."""
        self.keeps = True
        return self


class UnknownCommand(Refusal):
    """There is no such command in this namespace."""


class Invalid(Refusal):
    """The payload does not match what this command accepts."""

    @classmethod
    def of(cls, message: str) -> Self:
        """Split msgspec's sentence into the path and the expectation."""
        what, at, path = message.rpartition(_AT)
        if not at:
            what, path = message, "$"
        return cls(details={"path": path[:_PATH_MAX].rstrip("`"), "expected": what[:_WHAT_MAX]})


class Forbidden(Refusal):
    """You are not allowed to use this command."""


class NotFound(Refusal):
    """It does not exist, or you do not have access to it."""


class RateLimited(Refusal):
    """Too many requests in a short time."""


class TooMany(Refusal):
    """The limit for this is reached."""


class Conflict(Refusal):
    """It changed in the meantime, or the request id was already used for another request."""


class Unavailable(Refusal):
    """The server cannot do this right now; try again."""


class Internal(Refusal):
    """Something went wrong on the server; the error was logged."""


ALWAYS_POSSIBLE = (
    UnknownCommand,
    Invalid,
    Forbidden,
    NotFound,
    RateLimited,
    Conflict,
    Unavailable,
    Internal,
)
