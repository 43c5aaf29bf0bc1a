"""Requests, views and events: each is declared once, and everything else is derived from it.

A request is decoded directly from the bytes of the packet; unknown fields are refused. A view is
the answer of a command. An event is a fact: its class defines its name, its recipients (`rooms` in
`NAMESPACE`) and its order key.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType, inspect

from handlers.kit.texts import CHECKED, line, message, opaque, prose
from rooms import names
from storage.events.log import Membership as Membership

END = r"$(?!\n)"
"""The end of a pattern: `$` also matches before a final line break, and JavaScript has no `\\Z`."""
ID_PATTERN = r"^[0-9A-Fa-f-]+" + END
Id = Annotated[str, Meta(min_length=36, max_length=36, pattern=ID_PATTERN)]
"""A UUID; requests with upper-case digits are converted to lower case."""
RequestId = Annotated[str, opaque(1, 64)]
Name = Annotated[str, line(100)]
ShortText = Annotated[str, prose(500)]
LongText = Annotated[str, prose(8_000)]
Text = Annotated[str, message(1, 8_000, pattern=r"\S")]
Zone = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+" + END)]
Limit = Annotated[int, Meta(ge=1, le=100)]
Cursor = Annotated[str, opaque(1, 200)]
NUMBER_MAX = 2**53 - 1
"""The largest integer that JavaScript represents exactly; databases store it in a BIGINT."""
Version = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Seq = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]
FIRST_YEAR, LAST_YEAR = 1970, 2999
PAGE = 50
Personal = Mapping[str, Mapping[str, Any]]
"""Maps a field with a person's id to that person's fields, and each of these to its value after
an erasure.

See `handlers/kit/kept_json.py`."""


class Bound(NamedTuple):
    """A maximum that is a setting: `unit` for each unit of the rule, less `beside`."""

    rule: str
    unit: int = 1
    beside: int = 0


Bounds = Mapping[str, Bound]


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields that a command takes."""

    BOUNDS: ClassVar[Bounds] = {}
    """The fields whose maximum is a setting (`handlers/kit/bounds.py`)."""

    def uses(self) -> int:
        """How many uses of its command's rate limit this request counts as."""
        return 1

    def __post_init__(self) -> None:
        """Convert timestamps to UTC, and check and normalize texts according to their format."""
        for number, name, normalize in normalized_fields(type(self)):
            value = getattr(self, name)
            if not isinstance(value, datetime | str | list):
                continue
            try:
                setattr(self, name, normalize(value))
            except ValueError as error:
                sent = self.__struct_encode_fields__[number]
                raise ValueError(f"{error} - at `$.{sent}`") from None


Normalize = Callable[[Any], Any]
"""Returns the normalized value of a field; raises ValueError with what is expected."""


@cache
def normalized_fields(request: type[Request]) -> list[tuple[int, str, Normalize]]:
    """The fields that are normalized after decoding: position, name and function."""
    shape = inspect.type_info(request)
    assert isinstance(shape, inspect.StructType)
    found = [(n, field.name, _normalizer_of(field.type)) for n, field in enumerate(shape.fields)]
    return [(n, name, normalize) for n, name, normalize in found if normalize is not None]


def _normalizer_of(kind: inspect.Type) -> Normalize | None:
    match kind:
        case inspect.UnionType():
            return next(filter(None, map(_normalizer_of, kind.types)), None)
        case inspect.Metadata():
            format_ = (kind.extra_json_schema or {}).get("format", "")
            check = CHECKED.get(format_)
            return _within_length(check, kind.type) if check else _normalizer_of(kind.type)
        case inspect.DateTimeType():
            return in_utc
        case inspect.StrType(pattern=pattern) if pattern == ID_PATTERN:
            return str.lower
        case inspect.ListType(item_type=item):
            normalize = _normalizer_of(item)
            return None if normalize is None else partial(_normalize_each, normalize)
    return None


def _normalize_each(normalize: Normalize, values: list[Any]) -> list[Any]:
    return [normalize(value) for value in values]


def _within_length(check: Callable[[str], str], kind: inspect.Type) -> Normalize:
    """`check`, which also raises ValueError if the normalized text is too short or too long."""
    assert isinstance(kind, inspect.StrType)
    least, most = kind.min_length or 0, kind.max_length or NUMBER_MAX

    def normalize(text: str) -> str:
        checked = check(text)
        if not least <= len(checked) <= most:
            raise ValueError(f"Expected {least} to {most} visible characters")
        return checked

    return normalize


def in_utc(moment: datetime) -> datetime:
    """`moment` in UTC; raises ValueError outside the supported years.

    Near the ends of the calendar a conversion between time zones would fail.
    """
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"Expected a time in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone(UTC)


class Change(Request, kw_only=True):
    """The request of a command that changes state; a repeated `request_id` changes nothing."""

    request_id: RequestId | UnsetType = UNSET


class ChangeOnce(Change, kw_only=True):
    """The request of a change that must never run twice: its `request_id` is required."""

    request_id: RequestId


class Nothing(Request, kw_only=True):
    """The request of a command that takes no fields."""


class ChangeNothing(Change, kw_only=True):
    """The request of a changing command that takes no other fields."""


class View(msgspec.Struct, kw_only=True):
    """The answer of a command."""

    PERSONAL: ClassVar[Personal] = {}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ()
    """Fields with the id of the author of the personal fields in the same struct."""
    OWN: ClassVar[tuple[str, ...]] = ()
    """Fields with text about the user who sent the command: the stored answer is deleted with their
    account."""
    PLAIN: ClassVar[tuple[str, ...]] = ()
    """Text fields that are not personal data."""

    def about(self) -> str | None:
        """The id of the object shown, if stored answers may have to be withdrawn later."""
        return None


class Empty(View):
    """An empty answer: the command succeeded."""


class Money(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An amount in minor units of an ISO 4217 currency."""

    PLAIN: ClassVar[tuple[str, ...]] = ("currency",)

    amount: Annotated[int, Meta(ge=0, le=10_000_000_00)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}" + END)]


class Event(msgspec.Struct, kw_only=True):
    """A fact. Its JSON is the data on the wire and in storage; new fields must have defaults."""

    NAME: ClassVar[str]
    NAMESPACE: ClassVar[str | None] = None
    VERSION: ClassVar[int] = 1
    SEALED: ClassVar[bool] = False
    COUNTS_IN_REPLAY: ClassVar[bool] = True
    """Whether it counts towards the maximum number of replayed events in a room."""
    PRIVATE: ClassVar[tuple[str, ...]] = ()
    """Fields that consumers and `rooms` need, and that are never sent to clients."""
    PERSONAL: ClassVar[Personal] = {}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ()
    """Fields with the id of the author of the personal fields in the same struct."""
    PLAIN: ClassVar[tuple[str, ...]] = ()
    """Text fields that are not personal data."""

    def key(self) -> str:
        """The order key: a consumer gets the events of one key in order."""
        raise NotImplementedError(type(self).__name__)

    def rooms(self) -> tuple[str, ...]:
        """The rooms of `NAMESPACE` that receive it; none for internal events."""
        return ()

    def about(self) -> str | None:
        """The id of its object, if its stored data may have to be rewritten later."""
        return None

    def membership(self) -> tuple[Membership, ...]:
        """The members that this event adds to a stream or removes from it."""
        return ()


class UserEvent(Event):
    """An event about one user: consumers get the events of each user in order."""

    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"


class ToUser(UserEvent):
    """An event for one user, in the user's own room: all devices of the user receive it."""

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.user_id),)


EVENTS: dict[str, type[Event]] = {}


@cache
def stored_name(event: type[Event]) -> str:
    """The name under which an event is stored: `<system>.<NAME>`. Clients only see its `NAME`.

    Two systems may therefore have events with the same name. Events of the kit belong to `kernel`.
    """
    system = system_of(event.__module__)
    if not system:
        return event.NAME
    return f"{'kernel' if system == 'kit' else system}.{event.NAME}"


def system_of(module: str) -> str:
    """The package in `handlers/` that a module belongs to: a system or `kit`; "" elsewhere."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "handlers" else ""


def event_stored_as(name: str) -> type[Event]:
    """The event class that is stored under `name`; raises KeyError if none is declared."""
    if name not in EVENTS:
        EVENTS.update({stored_name(cls): cls for cls in declared_events()})
    return EVENTS[name]


def declared_events(cls: type[Event] = Event) -> list[type[Event]]:
    """The subclasses of `cls` that have a name, in all imported modules."""
    found = []
    for child in cls.__subclasses__():
        found += [child] if "NAME" in child.__dict__ else []
        found += declared_events(child)
    return found


def uncounted_in_replays() -> tuple[str, ...]:
    """The stored names of the declared events that do not count towards a room's maximum."""
    return tuple(sorted(stored_name(e) for e in declared_events() if not e.COUNTS_IN_REPLAY))


def encode(value: Any) -> str:
    """`value` as JSON text."""
    return msgspec.json.encode(value).decode()


def given(request: Request, *, but: tuple[str, ...] = ("request_id",)) -> Mapping[str, Any]:
    """The fields that the client sent, for changes whose fields are all optional."""
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {n: value for n, value in values.items() if value is not UNSET and n not in but}
