"""The rules of time and the sizes that domains go by; every one of them is a setting."""

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta


class IceServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A STUN or TURN server, as browsers take it."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Rules(msgspec.Struct, frozen=True):
    """Durations in seconds (`_s`), days (`_days`) or weeks; counts otherwise."""

    pincode_life_s: Annotated[int, Meta(ge=1, description="how long a pincode lives")] = 600
    pincode_tries: Annotated[int, Meta(ge=1, description="wrong tries that kill a pincode")] = 5
    pincodes_per_hour: Annotated[
        int, Meta(ge=1, description="pincodes one may ask for an address")
    ] = 10
    password_length_min: Annotated[int, Meta(ge=8, le=64, description="shortest password")] = 8
    access_token_life_s: Annotated[int, Meta(ge=5, description="life of an access token")] = 900
    refresh_token_life_days: Annotated[int, Meta(ge=1, description="life of an unused session")] = (
        60
    )
    refresh_repeat_s: Annotated[
        int, Meta(ge=0, description="how long a spent refresh token repeats its answer")
    ] = 30
    fresh_proof_s: Annotated[
        int, Meta(ge=1, description="how long a proof of who one is counts as fresh")
    ] = 600
    oauth_attempt_s: Annotated[int, Meta(ge=1, description="time to sign in at a provider")] = 600
    oauth_ticket_s: Annotated[int, Meta(ge=1, description="life of a provider's ticket")] = 600
    oauth_redirects: Annotated[
        tuple[str, ...], Meta(description="apps' own addresses that tickets may go to, with commas")
    ] = ()
    upload_size_mb: Annotated[int, Meta(ge=1, le=5_120, description="largest file")] = 512
    upload_quota_mb: Annotated[int, Meta(ge=1, description="room for a person's files")] = 2_048
    uploads_waiting_max: Annotated[
        int, Meta(ge=1, description="files that a person may have on their way")
    ] = 20
    upload_life_s: Annotated[
        int, Meta(ge=1, description="how long a file may be on its way, or here without any use")
    ] = 86_400
    consultants_start_active: Annotated[
        bool, Meta(description="whether become ends in active (else pending)")
    ] = True
    weeks_ahead: Annotated[int, Meta(ge=1, le=26, description="weeks of blocks made ahead")] = 4
    request_hold_s: Annotated[int, Meta(ge=1, description="how long a request holds a place")] = (
        86_400
    )
    instant_hold_s: Annotated[int, Meta(ge=1, description="how long a request_now waits")] = 120
    offer_s: Annotated[int, Meta(ge=1, description="how long a waiting-list offer stands")] = 900
    waiting_room_opens_s: Annotated[
        int, Meta(ge=0, description="how long before its block a waiting room opens")
    ] = 900
    place_kept_s: Annotated[int, Meta(ge=1, description="how long a lost place is kept")] = 60
    call_unheld_s: Annotated[int, Meta(ge=1, description="how long a call waits for both")] = 60
    call_lost_s: Annotated[int, Meta(ge=1, description="how long a call waits for one")] = 60
    usual_call_s: Annotated[
        int, Meta(ge=1, description="a call's length for the ETA before any has finished")
    ] = 600
    presence_grace_s: Annotated[
        float, Meta(ge=0, description="offline this long after the last device left")
    ] = 10.0
    read_mark_every_s: Annotated[
        float, Meta(ge=0, description="at most one mark event a person in this time")
    ] = 1.0
    mail_tries: Annotated[int, Meta(ge=1, description="attempts to send a mail")] = 5
    mail_backoff_s: Annotated[float, Meta(ge=0, description="first pause after a failed mail")] = (
        2.0
    )
    message_edit_s: Annotated[
        int, Meta(ge=0, description="how long one may edit what one said")
    ] = 86_400
    message_delete_s: Annotated[
        int, Meta(ge=0, description="how long one may take back what one said")
    ] = 172_800
    group_members_max: Annotated[int, Meta(ge=2, description="largest group")] = 1_000
    link_previews: Annotated[
        bool, Meta(description="whether pages that messages link are fetched and shown")
    ] = False
    previews_per_minute: Annotated[
        int, Meta(ge=1, description="such pages a minute, for a person and for a conversation")
    ] = 10
    flags_to_hide: Annotated[
        int, Meta(ge=1, description="so many people's flags hide a message until it is looked at")
    ] = 3
    flags_per_hour: Annotated[int, Meta(ge=1, description="flags that a person may raise")] = 30
    exports_per_day: Annotated[int, Meta(ge=1, description="exports a person may ask for")] = 3
    exports_kept_days: Annotated[int, Meta(ge=1, description="how long an export is kept")] = 7
    export_progress_every_s: Annotated[
        float, Meta(ge=0, description="at most one event of an export's progress in this time")
    ] = 1.0
    deletion_grace_days: Annotated[
        int, Meta(ge=1, description="how long an account's deletion can be taken back")
    ] = 30
    notifications_kept_days: Annotated[
        int, Meta(ge=1, description="how long people find what they were told")
    ] = 365
    pincodes_kept_s: Annotated[
        int, Meta(ge=3_600, description="how long the addresses of unspent pincodes are kept")
    ] = 3_600
    sessions_kept_days: Annotated[
        int, Meta(ge=1, description="how long one sees from where ended sessions were")
    ] = 30
    devices_known_days: Annotated[
        int, Meta(ge=1, description="how long an unused device stays known to its account")
    ] = 180
    answers_kept_days: Annotated[int, Meta(ge=1, description="how long request ids count")] = 30
    events_kept_days: Annotated[int, Meta(ge=1, description="how far back a replay can go")] = 7
    unserved_kept_days: Annotated[
        int, Meta(ge=1, description="how long deliveries are kept that no instance serves")
    ] = 30
    ice_servers: Annotated[
        tuple[IceServer, ...], Meta(description="STUN and TURN servers for calls, as JSON")
    ] = ()
    public_url: Annotated[
        str, Meta(description="where people reach this server: links, and whose pages may connect")
    ] = "http://localhost:8000"

    def span(self, name: str) -> timedelta:
        """The rule `name` (one that ends in `_s` or `_days`) as a duration."""
        value = getattr(self, name)
        return timedelta(days=value) if name.endswith("_days") else timedelta(seconds=value)
