"""What may be said: requests, views and events are declared here once; all else is derived.

A request is decoded straight from the packet's bytes and refuses unknown fields. A view is what a
command answers. An event is a fact: its name, who hears it (`rooms` in `NAMESPACE`) and its order
key are part of its class.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType, inspect

from handlers.kit.texts import CHECKED, line, message, opaque, prose
from storage.events.log import Membership as Membership

END = r"$(?!\n)"
"""The end of a pattern: `$` alone lets a line break follow, and JavaScript knows no `\\Z`."""
Id = Annotated[str, Meta(min_length=36, max_length=36, pattern=r"^[0-9a-f-]+" + END)]
RequestId = Annotated[str, opaque(1, 64)]
Name = Annotated[str, line(100)]
ShortText = Annotated[str, prose(500)]
LongText = Annotated[str, prose(8_000)]
Text = Annotated[str, message(1, 8_000, pattern=r"\S")]
Zone = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+" + END)]
Limit = Annotated[int, Meta(ge=1, le=100)]
Cursor = Annotated[str, opaque(1, 200)]
NUMBER_MAX = 2**53 - 1
"""The largest whole number that JavaScript holds exactly; databases hold it in a BIGINT."""
Version = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Seq = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]
FIRST_YEAR, LAST_YEAR = 1970, 2999
PAGE = 50
Personal = Mapping[str, Mapping[str, Any]]
"""By the field with a person's id: the fields that are theirs, and what these become without them.

See `handlers/kit/kept_json.py`."""


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a command takes."""

    def uses(self) -> int:
        """How much of its command's rate this takes."""
        return 1

    def __post_init__(self) -> None:
        """Moments are in UTC, whichever zone they came in; texts are what their format says."""
        for number, name, settle in settled_by(type(self)):
            value = getattr(self, name)
            if not isinstance(value, datetime | str):
                continue
            try:
                setattr(self, name, settle(value))
            except ValueError as error:
                sent = self.__struct_encode_fields__[number]
                raise ValueError(f"{error} - at `$.{sent}`") from None


Settle = Callable[[Any], Any]
"""Gives a field's value as it is kept; raises ValueError with what is expected."""


@cache
def settled_by(request: type[Request]) -> list[tuple[int, str, Settle]]:
    """The fields that are looked at once more after decoding: place, name and what looks."""
    shape = inspect.type_info(request)
    assert isinstance(shape, inspect.StructType)
    found = [(n, field.name, _settle_of(field.type)) for n, field in enumerate(shape.fields)]
    return [(n, name, settle) for n, name, settle in found if settle is not None]


def _settle_of(kind: inspect.Type) -> Settle | None:
    match kind:
        case inspect.UnionType():
            return next(filter(None, map(_settle_of, kind.types)), None)
        case inspect.Metadata():
            format_ = (kind.extra_json_schema or {}).get("format", "")
            return CHECKED.get(format_) or _settle_of(kind.type)
        case inspect.DateTimeType():
            return in_utc
    return None


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC; raises ValueError at the calendar's ends, beyond which no zone shows it."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"Expected a moment in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone(UTC)


class Change(Request, kw_only=True):
    """What a changing command takes: the same `request_id` again changes nothing."""

    request_id: RequestId | UnsetType = UNSET


class ChangeOnce(Change, kw_only=True):
    """What a changing command takes that must never be done twice: its `request_id` is required."""

    request_id: RequestId


class Nothing(Request, kw_only=True):
    """A command that takes no fields."""


class ChangeNothing(Change, kw_only=True):
    """A changing command that takes no fields of its own."""


class View(msgspec.Struct, kw_only=True):
    """What a command answers."""

    PERSONAL: ClassVar[Personal] = {}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ()
    """Fields with the id of who wrote the personal fields beside them."""
    OWN: ClassVar[tuple[str, ...]] = ()
    """Fields with text about who is answered: a kept answer goes with their account."""
    PLAIN: ClassVar[tuple[str, ...]] = ()
    """Fields whose text is nobody's."""

    def about(self) -> str | None:
        """What it shows, when that may have to be taken back from kept answers later."""
        return None


class Empty(View):
    """An empty answer: the command succeeded."""


class Money(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An amount in minor units of an ISO 4217 currency."""

    PLAIN: ClassVar[tuple[str, ...]] = ("currency",)

    amount: Annotated[int, Meta(ge=0, le=10_000_000_00)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}" + END)]


class Event(msgspec.Struct, kw_only=True):
    """A fact. Its JSON is its data on the wire and in storage; new fields must have defaults."""

    NAME: ClassVar[str]
    NAMESPACE: ClassVar[str | None] = None
    VERSION: ClassVar[int] = 1
    SEALED: ClassVar[bool] = False
    PRIVATE: ClassVar[tuple[str, ...]] = ()
    """Fields that consumers and `rooms` need and that nobody outside is sent."""
    PERSONAL: ClassVar[Personal] = {}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ()
    """Fields with the id of who wrote the personal fields beside them."""
    PLAIN: ClassVar[tuple[str, ...]] = ()
    """Fields whose text is nobody's."""

    def key(self) -> str:
        """The order key: consumers hear events of one key in order."""
        raise NotImplementedError(type(self).__name__)

    def rooms(self) -> tuple[str, ...]:
        """The rooms of `NAMESPACE` that hear it; none for internal events."""
        return ()

    def about(self) -> str | None:
        """What it is about, when what it says may have to be rewritten later."""
        return None

    def membership(self) -> tuple[Membership, ...]:
        """Who joins or leaves a stream by it."""
        return ()


EVENTS: dict[str, type[Event]] = {}


@cache
def stored_name(event: type[Event]) -> str:
    """What an event is stored as: `<system>.<NAME>`. Clients hear its `NAME` alone.

    So two systems may have events of one name. Events of the kit are the `kernel`'s.
    """
    package, _, rest = event.__module__.partition(".")
    if package != "handlers":
        return event.NAME
    system = rest.partition(".")[0]
    return f"{'kernel' if system == 'kit' else system}.{event.NAME}"


def event_stored_as(name: str) -> type[Event]:
    """The class of what is stored under `name`; KeyError when nobody declares it."""
    if name not in EVENTS:
        EVENTS.update({stored_name(cls): cls for cls in declared_events()})
    return EVENTS[name]


def declared_events(cls: type[Event] = Event) -> list[type[Event]]:
    """The classes below `cls` that have a name, of all modules that are imported."""
    found = []
    for child in cls.__subclasses__():
        found += [child] if "NAME" in child.__dict__ else []
        found += declared_events(child)
    return found


def encode(value: Any) -> str:
    """`value` as JSON text."""
    return msgspec.json.encode(value).decode()


def given(request: Request, *, but: tuple[str, ...] = ("request_id",)) -> Mapping[str, Any]:
    """The fields of `request` that its sender gave, for changes where all fields are optional."""
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {n: value for n, value in values.items() if value is not UNSET and n not in but}
