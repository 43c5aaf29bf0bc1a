"""Decisions about consultants and topics."""

from typing import Any

import msgspec

from handlers.consulting.consultants import CONSULTANT
from handlers.consulting.consultants.contracts import (
    AddTopic,
    AlreadyConsultant,
    BecomeConsultant,
    ConsultantDeactivated,
    ConsultantOnboarded,
    ConsultantPage,
    ConsultantProfileUpdated,
    ConsultantView,
    ListConsultants,
    NotAConsultant,
    RemoveTopic,
    TopicAdded,
    TopicRemoved,
    TopicUpdated,
    TopicView,
    UpdateConsultant,
    UpdateTopic,
    WatchedConsultantView,
    consultant_room,
)
from handlers.consulting.consultants.rules import ConsultantRules
from handlers.kit.codes import check_country, check_currency, check_language, check_zone
from handlers.kit.contract import Empty, Money, given
from handlers.kit.errors import Conflict, NotFound
from handlers.kit.paging import LAST_ID, cursor_of, fitting, position_of
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.profile import public as profiles
from handlers.platform.uploads import public as uploads
from storage.consulting import consultants as store
from storage.consulting.consultants import ConsultantRow, TopicRow

NAMESPACE = "/consultants"
LISTED = "/consultants list"
TOPICS_MAX = 50


def become(tx: Transaction, ask: BecomeConsultant) -> ConsultantView:
    """Make the actor a consultant; one who stopped starts again with the new fields."""
    fields = dict(given(ask))
    check_fields(fields)
    user = profiles.add_role(tx, tx.actor.id, CONSULTANT)
    before = store.lock_consultant(tx, user.id)
    row = ConsultantRow(
        id=user.id,
        first_name=user.first_name,
        last_name=user.last_name,
        **{"age": None, "gender": None, "picture_id": None, **fields},
        status="active" if tx.rules.of(ConsultantRules).consultants_start_active else "pending",
        available_now=False,
        onboarded_at=tx.now,
    )
    if not store.begin_consulting(tx, row):
        raise AlreadyConsultant
    uploads.replace_picture(tx, before.picture_id if before else None, row.picture_id)
    view = view_of(tx, row)
    tx.publish(ConsultantOnboarded(consultant=view))
    return view


def update(tx: Transaction, ask: UpdateConsultant) -> ConsultantView:
    fields = given(ask)
    check_fields(fields)
    before = get_own(tx)
    row = msgspec.structs.replace(before, **fields)
    uploads.replace_picture(tx, before.picture_id, row.picture_id)
    return save(tx, row)


def save(tx: Transaction, row: ConsultantRow) -> ConsultantView:
    """Save a changed consultant and publish the change to the users who watch them."""
    store.keep_consultant(tx, row)
    view = view_of(tx, row)
    tx.publish(ConsultantProfileUpdated(consultant=view))
    return view


def stop(tx: Transaction) -> ConsultantView:
    row = get_own(tx)
    pause(tx, row.id)
    return get_consultant(tx, row.id)


def pause(tx: Transaction, consultant_id: str) -> str | None:
    """Hide a consultant, so that nobody can find or book them.

    Returns their previous status; None if there is no such consultant or they had stopped already.
    """
    row = store.lock_consultant(tx, consultant_id)
    if row is None or row.status == "stopped":
        return None
    before, row.status, row.available_now = row.status, "stopped", False
    store.keep_consultant(tx, row)
    tx.publish(ConsultantDeactivated(consultant=view_of(tx, row)))
    return before


def resume(tx: Transaction, consultant_id: str, status: str) -> None:
    """Restore the status of a paused consultant, unless they started again by themselves."""
    row = store.lock_consultant(tx, consultant_id)
    if row is not None and row.status == "stopped":
        row.status = status
        store.keep_consultant(tx, row)
        tx.publish(ConsultantOnboarded(consultant=view_of(tx, row)))


def pause_for_deletion(tx: Transaction, consultant_id: str) -> None:
    """Pause a consultant whose account is about to be deleted, and save their status."""
    status = pause(tx, consultant_id)
    if status is not None:
        store.keep_paused(tx, consultant_id, status)


def resume_after_deletion(tx: Transaction, consultant_id: str) -> None:
    """Restore the saved status when the account is not deleted after all."""
    status = store.take_paused(tx, consultant_id)
    if status is not None:
        resume(tx, consultant_id, status)


def get_consultant(tx: Transaction, consultant_id: str) -> ConsultantView:
    """Raises NotFound."""
    return view_of(tx, get_row(tx, consultant_id))


def get_watched(tx: Transaction, consultant_id: str) -> WatchedConsultantView:
    """Raises NotFound, also if the consultant has blocked the actor."""
    if blocking.has_blocked_actor(tx, consultant_id):
        raise NotFound
    view = get_consultant(tx, consultant_id)
    seq = tx.head(NAMESPACE, consultant_room(consultant_id))
    return WatchedConsultantView(**msgspec.structs.asdict(view), seq=seq)


def list_consultants(tx: Transaction, ask: ListConsultants) -> ConsultantPage:
    (before,) = position_of(tx, LISTED, ask.before) or (LAST_ID,)
    rows = store.list_active(tx, before, ask.limit + 1)
    sizes = store.sum_topic_texts(tx, [row.id for row in rows])
    page = fitting(rows[: ask.limit], lambda row: len(row.about_me) + sizes.get(row.id, 0))
    topics: dict[str, list[TopicView]] = {row.id: [] for row in page}
    for topic in store.list_topics(tx, list(topics)):
        topics[topic.consultant_id].append(topic_view(topic))
    return ConsultantPage(
        consultants=[_view(row, topics[row.id]) for row in page],
        next=cursor_of(tx, LISTED, page[-1].id) if len(rows) > len(page) else None,
    )


def add_topic(tx: Transaction, ask: AddTopic) -> TopicView:
    consultant = get_own(tx)
    if store.count_topics(tx, consultant.id) >= TOPICS_MAX:
        raise Conflict("You have the maximum number of topics.", details={"most": TOPICS_MAX})
    fields = _topic_fields(given(ask))
    row = TopicRow(
        id=tx.new_id(), consultant_id=consultant.id, **{"icon_id": None, **fields}, active=True
    )
    uploads.replace_picture(tx, None, row.icon_id)
    store.insert_topic(tx, row)
    view = topic_view(row)
    tx.publish(TopicAdded(topic=view))
    return view


def update_topic(tx: Transaction, ask: UpdateTopic) -> TopicView:
    changes = _topic_fields(given(ask, but=("request_id", "topic_id")))
    before = get_own_topic(tx, ask.topic_id)
    row = msgspec.structs.replace(before, **changes)
    uploads.replace_picture(tx, before.icon_id, row.icon_id)
    store.update_topic(tx, row)
    view = topic_view(row)
    tx.publish(TopicUpdated(topic=view))
    return view


def remove_topic(tx: Transaction, ask: RemoveTopic) -> Empty:
    before = get_own_topic(tx, ask.topic_id)
    row = msgspec.structs.replace(before, active=False, icon_id=None)
    uploads.replace_picture(tx, before.icon_id, None)
    store.update_topic(tx, row)
    tx.publish(TopicRemoved(topic=topic_view(row)))
    return Empty()


def get_row(tx: Transaction, consultant_id: str) -> ConsultantRow:
    row = store.find_consultant(tx, consultant_id)
    if row is None:
        raise NotFound
    return row


def get_own(tx: Transaction) -> ConsultantRow:
    """The actor as a consultant who has not stopped; raises NotAConsultant."""
    row = store.lock_consultant(tx, tx.actor.id)
    if row is None or row.status == "stopped":
        raise NotAConsultant
    return row


def get_own_topic(tx: Transaction, topic_id: str) -> TopicRow:
    get_own(tx)
    topic = store.find_topic(tx, topic_id)
    if topic is None or topic.consultant_id != tx.actor.id or not topic.active:
        raise NotFound
    return topic


def check_fields(fields: Any) -> None:
    """Check language, country and time zone against their lists; raises Invalid."""
    for number, language in enumerate(fields.get("languages", ())):
        check_language(f"$.languages[{number}]", language)
    if "country" in fields:
        check_country("$.country", fields["country"])
    if "time_zone" in fields:
        check_zone("$.time_zone", fields["time_zone"])


def _topic_fields(fields: Any) -> dict[str, Any]:
    """The fields of a request as columns."""
    columns = dict(fields)
    rate: Money | None = columns.pop("hourly_rate", None)
    if rate is not None:
        check_currency("$.hourly_rate.currency", rate.currency)
        columns |= {"rate_amount": rate.amount, "rate_currency": rate.currency}
    return columns


def view_of(tx: Transaction, row: ConsultantRow) -> ConsultantView:
    return _view(row, [topic_view(topic) for topic in store.list_topics(tx, [row.id])])


def _view(row: ConsultantRow, topics: list[TopicView]) -> ConsultantView:
    fields = msgspec.structs.asdict(row)
    del fields["onboarded_at"]
    picture_url = picture_path(fields.pop("picture_id"))
    return ConsultantView(**fields, profile_picture_url=picture_url, topics=topics)


def picture_path(upload_id: str | None) -> str | None:
    """The public path of a picture on this server."""
    return None if upload_id is None else f"/pictures/{upload_id}"


def topic_view(row: TopicRow) -> TopicView:
    return TopicView(
        id=row.id,
        consultant_id=row.consultant_id,
        name=row.name,
        description=row.description,
        hourly_rate=Money(row.rate_amount, row.rate_currency),
        minimal_duration_minutes=row.minimal_duration_minutes,
        icon_url=picture_path(row.icon_id),
        active=row.active,
    )
