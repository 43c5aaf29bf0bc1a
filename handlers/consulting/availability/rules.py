"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class AvailabilityRules(msgspec.Struct, frozen=True):
    """How far ahead blocks are created, how long offers are valid, and the default terms.

    The default terms apply to consultants who did not set their own.
    """

    weeks_ahead: Annotated[int, Meta(ge=1, le=26, description="weeks of blocks created ahead")] = 4
    offer_s: Annotated[int, Meta(ge=1, description="how long a waiting-list offer is valid")] = 900
    min_notice_minutes: Annotated[
        int, Meta(ge=0, le=20_160, description="how long before its start a block can be requested")
    ] = 0
    max_days_ahead: Annotated[
        int, Meta(ge=1, le=400, description="how many days ahead blocks can be requested")
    ] = 400
    buffer_minutes: Annotated[
        int, Meta(ge=0, le=120, description="time that stays free after a booked block")
    ] = 0
    approves_at_once: Annotated[
        bool, Meta(description="whether requests for blocks are approved without an answer")
    ] = False
    open_requests_max: Annotated[
        int, Meta(ge=1, le=60, description="unanswered requests of a student to one consultant")
    ] = 5
    change_until_minutes: Annotated[
        int,
        Meta(ge=0, le=20_160, description="how long before the start students can move bookings"),
    ] = 0
    late_cancellation_percent: Annotated[
        int, Meta(ge=0, le=100, description="fee of a later cancellation, of the minimum price")
    ] = 0
    no_show_percent: Annotated[
        int, Meta(ge=0, le=100, description="fee of a student who misses a booking")
    ] = 0
