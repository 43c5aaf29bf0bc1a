"""Refusals: the expected noes of commands, each a class with a code."""

import re
from typing import Any, ClassVar, Self

_AT = " - at `"
_WHAT_MAX, _PATH_MAX = 300, 200
"""The validator repeats what was sent, such as the name of an unknown field."""


class Refusal(Exception):
    """A no that the caller is told. The code is the class's name, the message its docstring.

    A refusal rolls its transaction back, unless `KEEPS` is true (a wrong pincode must count its
    try) or this one was raised as `refusal.kept()`.
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
        """This refusal, raised after something that must stay (an expiry that was found)."""
        self.keeps = True
        return self


class UnknownCommand(Refusal):
    """There is no such command in this namespace."""


class Invalid(Refusal):
    """The payload is not what this command takes."""

    @classmethod
    def of(cls, message: str) -> Self:
        """With msgspec's sentence taken apart: where, and what was expected."""
        what, at, path = message.rpartition(_AT)
        if not at:
            what, path = message, "$"
        return cls(details={"path": path[:_PATH_MAX].rstrip("`"), "expected": what[:_WHAT_MAX]})


class Forbidden(Refusal):
    """Your role does not allow this command."""


class NotFound(Refusal):
    """There is no such thing, or it is not yours."""


class RateLimited(Refusal):
    """Too many in too short a time."""


class TooMany(Refusal):
    """More at once than there may be."""


class Conflict(Refusal):
    """It changed meanwhile, or the request id was used for something else."""


class Unavailable(Refusal):
    """Not possible right now; try again."""


class Internal(Refusal):
    """Something broke on our side; it has been logged."""


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
