"""What is said about schedules, blocks, and being available now."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.contract import END, Change, Event, Id, Moment, Nothing, Request, View, Zone
from handlers.kit.errors import Refusal

MaxCalls = Annotated[int, Meta(ge=1, le=60)]


class BlockFull(Refusal):
    """Every place in this block is taken."""


class BlockPast(Refusal):
    """This block has ended."""


class OwnBlock(Refusal):
    """This is your own block."""


class WeeklyBlock(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One hour of every week, in the schedule's zone; Monday is 0."""

    weekday: Annotated[int, Meta(ge=0, le=6)]
    hour: Annotated[int, Meta(ge=0, le=23)]
    max_calls: MaxCalls


WeeklyBlocks = Annotated[list[WeeklyBlock], Meta(max_length=168)]
IsoWeek = Annotated[str, Meta(pattern=r"^[0-9]{4}-W[0-9]{2}" + END)]


class SetDefaultSchedule(Change, kw_only=True):
    time_zone: Zone
    blocks: WeeklyBlocks


class OverrideWeek(Change, kw_only=True):
    week: IsoWeek
    blocks: WeeklyBlocks
    cancel_bookings: bool = False


class ClearOverride(Change, kw_only=True):
    week: IsoWeek
    cancel_bookings: bool = False


class GetSchedule(Nothing):
    """Ask for your own schedule."""


class SetAvailableNow(Change, kw_only=True):
    available: bool
    back_after_call: bool | UnsetType = UNSET
    back_when_online: bool | UnsetType = UNSET


class GetAvailableNow(Nothing):
    """Ask for your own status, and when it comes back by itself."""


class ListBlocks(Request, kw_only=True):
    consultant_id: Id
    from_: Moment = msgspec.field(name="from")
    to: Moment


class CheckAvailability(Request, kw_only=True):
    consultant_id: Id
    at: Moment


class WatchBlocks(Request):
    consultant_id: Id


class UnwatchBlocks(Request):
    consultant_id: Id


class BlockView(View):
    """One bookable hour and its places.

    It is `unavailable` while the consultant has another call at that time, or within the buffer.
    """

    id: str
    consultant_id: str
    starts_at: datetime
    ends_at: datetime
    max_calls: int
    taken: int
    status: Literal["available", "full", "unavailable", "cancelled"]


class BlocksView(View):
    blocks: list[BlockView]


class ListedBlocksView(BlocksView, kw_only=True):
    """Blocks, as of event `seq` of the consultant's room.

    `waits` are the ids of the blocks on whose waiting lists you are, and `held` of those in which
    you have a place.
    """

    waits: list[str]
    held: list[str]

    seq: int


class OverrideView(View):
    week: str
    blocks: list[WeeklyBlock]


class ScheduleView(View):
    """A consultant's schedule; hours in `default` and `overrides` are local to `time_zone`."""

    time_zone: str | None
    default: list[WeeklyBlock]
    overrides: list[OverrideView]


class AvailableNowView(View):
    available: bool


class OwnAvailableNowView(AvailableNowView, kw_only=True):
    """Your status, and whether it comes back by itself after a call or with your next device."""

    back_after_call: bool
    back_when_online: bool


class WatchedNowView(View):
    available_now: bool
    seq: int


class AvailabilityStatus(View):
    status: Literal["available", "full", "unavailable"]


class _OfConsultant(Event):
    NAMESPACE: ClassVar[str | None] = "/availability"

    def consultant(self) -> str:
        raise NotImplementedError

    def key(self) -> str:
        return f"consultant:{self.consultant()}"

    def rooms(self) -> tuple[str, ...]:
        return (consultant_room(self.consultant()),)


class _AboutBlocks(_OfConsultant):
    blocks: list[BlockView]

    def consultant(self) -> str:
        return self.blocks[0].consultant_id


class DefaultScheduleSet(_AboutBlocks):
    """The default week changed blocks, or created them for a coming week."""

    NAME: ClassVar[str] = "DEFAULT_SCHEDULE_SET"


class WeeklyScheduleUpdated(_AboutBlocks):
    """The override of one week changed blocks."""

    NAME: ClassVar[str] = "WEEKLY_SCHEDULE_UPDATED"


class _AboutBlock(_OfConsultant):
    block: BlockView

    def consultant(self) -> str:
        return self.block.consultant_id


class AvailabilityUpdated(_AboutBlock):
    """The number of taken places or the status of a block changed."""

    NAME: ClassVar[str] = "AVAILABILITY_UPDATED"


class AvailabilityBlockFull(_AboutBlock):
    """A block's last place was taken."""

    NAME: ClassVar[str] = "AVAILABILITY_BLOCK_FULL"


class AvailabilityBlockAvailable(_AboutBlock):
    """A full block has a free place again."""

    NAME: ClassVar[str] = "AVAILABILITY_BLOCK_AVAILABLE"


class AvailableNowStatusChanged(Event):
    """A consultant became available for calls right now, or stopped being available."""

    NAME: ClassVar[str] = "AVAILABLE_NOW_STATUS_CHANGED"
    NAMESPACE: ClassVar[str | None] = "/availability"
    consultant_id: str
    available: bool

    def key(self) -> str:
        return f"consultant:{self.consultant_id}"

    def rooms(self) -> tuple[str, ...]:
        return (consultant_room(self.consultant_id),)


class AvailableNowLapsed(Event):
    """A consultant is no longer available now, because a request was not answered."""

    NAME: ClassVar[str] = "AVAILABLE_NOW_LAPSED"
    consultant_id: str

    def key(self) -> str:
        return f"consultant:{self.consultant_id}"


class TopUpDue(Event):
    """It is time to create blocks for further weeks."""

    NAME: ClassVar[str] = "SCHEDULE_TOP_UP_DUE"
    consultant_id: str

    def key(self) -> str:
        return f"consultant:{self.consultant_id}"


class PlacesWithdrawn(Event):
    """A consultant withdrew places that have bookings; those bookings must be cancelled."""

    NAME: ClassVar[str] = "PLACES_WITHDRAWN"
    block_id: str
    consultant_id: str
    booking_ids: list[str]

    def key(self) -> str:
        return f"block:{self.block_id}"
