"""The quality of the connections in a call: reports of the devices, in numbers and in words.

Invariants:
- Reports of a user are added up in one row for each call.
- Both users get an event when the word for a connection changes, and no other one. A connection is
  good until a report says otherwise.
"""

from handlers.consulting.call import service
from handlers.consulting.call.contracts import (
    CallOver,
    CallQualityReported,
    CallQualityView,
    ConnectionView,
    GetQuality,
    QualityView,
    ReportQuality,
)
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from storage.consulting.call import calls
from storage.consulting.call import quality as store
from storage.consulting.call.quality import Quality, QualityRow

POOR = {"loss": 0.03, "jitter_ms": 50, "round_trip_ms": 400, "freezes": 1}
BAD = {"loss": 0.10, "jitter_ms": 150, "round_trip_ms": 800, "freezes": 4}
"""From these values on, a connection is poor or bad: speech suffers, or can hardly be followed."""


def report(tx: Transaction, ask: ReportQuality) -> QualityView:
    """Add one report of the actor; raises NotFound, and CallOver unless the call is active."""
    row = service.get_as_party(tx, ask.call_id)
    if row.status != "active":
        raise CallOver
    kept = store.find_quality(tx, row.id, tx.actor.id)
    sums = kept or QualityRow(row.id, tx.actor.id, "good", ask.path, tx.now)
    word, before = word_of(ask), sums.quality
    _add(sums, ask, word)
    sums.reported_at = tx.now
    store.keep_quality(tx, sums)
    if word != before:
        parties = (row.student_id, row.consultant_id)
        event = CallQualityReported(
            call_id=row.id, user_id=tx.actor.id, quality=word, parties=parties
        )
        tx.publish(event)
    return QualityView(quality=word, path=ask.path)


def get_quality(tx: Transaction, ask: GetQuality) -> CallQualityView:
    """The connections of both users so far, also after the end; raises NotFound."""
    row = calls.find_call(tx, ask.call_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    found = store.list_quality(tx, row.id)
    return CallQualityView(call_id=row.id, connections=[_view_of(one) for one in found])


def word_of(ask: ReportQuality) -> Quality:
    """The word for the numbers of one report: the worst one decides."""
    if any(getattr(ask, name) >= value for name, value in BAD.items()):
        return "bad"
    if any(getattr(ask, name) >= value for name, value in POOR.items()):
        return "poor"
    return "good"


def _add(sums: QualityRow, ask: ReportQuality, word: Quality) -> None:
    loss_permille = round(ask.loss * 1_000)
    sums.quality, sums.path = word, ask.path
    sums.reports += 1
    sums.poor += word == "poor"
    sums.bad += word == "bad"
    sums.loss_permille_sum += loss_permille
    sums.loss_permille_max = max(sums.loss_permille_max, loss_permille)
    sums.jitter_ms_sum += ask.jitter_ms
    sums.jitter_ms_max = max(sums.jitter_ms_max, ask.jitter_ms)
    sums.round_trip_ms_sum += ask.round_trip_ms
    sums.round_trip_ms_max = max(sums.round_trip_ms_max, ask.round_trip_ms)
    sums.received_kbps_sum += ask.received_kbps
    sums.sent_kbps_sum += ask.sent_kbps
    sums.freezes += ask.freezes


def _view_of(sums: QualityRow) -> ConnectionView:
    return ConnectionView(
        user_id=sums.user_id,
        quality=sums.quality,
        path=sums.path,
        reports=sums.reports,
        poor=sums.poor,
        bad=sums.bad,
        loss=round(sums.loss_permille_sum / sums.reports / 1_000, 4),
        loss_max=sums.loss_permille_max / 1_000,
        jitter_ms=sums.jitter_ms_sum // sums.reports,
        jitter_ms_max=sums.jitter_ms_max,
        round_trip_ms=sums.round_trip_ms_sum // sums.reports,
        round_trip_ms_max=sums.round_trip_ms_max,
        received_kbps=sums.received_kbps_sum // sums.reports,
        sent_kbps=sums.sent_kbps_sum // sums.reports,
        freezes=sums.freezes,
    )
