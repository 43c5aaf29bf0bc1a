"""Mutants of consulting's domains."""

from tests.mutants.mutant import Mutant

CALLS = "tests/consulting/call/test_calls.py"
TALKED = "tests/consulting/call/test_talked_time.py"
WAITING_LIST = "tests/consulting/availability/test_waiting_list.py"

MUTANTS = (
    Mutant(
        "Nobody on the waiting list is offered a free place",
        "handlers/consulting/availability/service/places.py",
        "    lists.offer_free_places(tx, block_id)\n",
        "",
        (WAITING_LIST,),
    ),
    Mutant(
        "The last on the waiting list is offered a place first",
        "storage/consulting/availability/waiting_lists.py",
        "    .where(_IN_BLOCK, _w.offer_id.is_(None))\n    .order_by(_w.joined_at, _w.user_id)",
        "    .where(_IN_BLOCK, _w.offer_id.is_(None))\n    .order_by(_w.joined_at.desc())",
        (WAITING_LIST,),
    ),
    Mutant(
        "Somebody takes the place that is offered to another",
        "handlers/consulting/availability/service/lists.py",
        "    holds.take_place(tx, hold)\n",
        "",
        (WAITING_LIST,),
    ),
    Mutant(
        "A student has two consultations at the same time",
        "handlers/consulting/booking/service/requests.py",
        "    if not store.take_quarters(tx, row.student_id, row.id, row.starts_at, row.ends_at):",
        "    if False:",
        ("tests/consulting/booking/test_requests.py",),
    ),
    Mutant(
        "A request that nobody answers waits for ever",
        "handlers/consulting/booking/service/requests.py",
        "    expire_later(tx, row)\n",
        "",
        ("tests/consulting/booking/test_expiry.py",),
    ),
    Mutant(
        "A cancelled booking keeps its place",
        "handlers/consulting/booking/service/expiry.py",
        '    if row.block_id is not None and status != "completed":',
        "    if False:",
        ("tests/consulting/booking/test_answers.py",),
    ),
    Mutant(
        "Of two who answer a booking at once, both succeed",
        "storage/consulting/booking.py",
        "_LOCK = _FIND.with_for_update()",
        "_LOCK = _FIND",
        ("tests/consulting/booking/test_races.py",),
    ),
    Mutant(
        "Two devices of one person count the talked time twice",
        "handlers/consulting/call/talk.py",
        "        if joined and start <= joined[-1][1]:",
        "        if False:",
        (TALKED,),
    ),
    Mutant(
        "A call in which one is alone goes on for ever",
        "handlers/consulting/call/service.py",
        '    _look_later(tx, row.id, at + tx.rules.span("call_lost_s"))\n',
        "",
        (CALLS,),
    ),
    Mutant(
        "The talked time counts on after the server died",
        "handlers/consulting/call/service.py",
        "    store.shorten_stay(tx, stay.id, max(at, stay.joined_at))\n",
        "",
        (TALKED,),
    ),
    Mutant(
        "A consultant has two calls at the same time",
        "handlers/consulting/call/service.py",
        "    if not store.insert_call(tx, row):",
        "    if False:",
        ("tests/consulting/booking/test_now.py",),
    ),
    Mutant(
        "Somebody who reconnects loses the place in the waiting room",
        "handlers/consulting/waiting_room/service.py",
        '    due = place.lost_at + tx.rules.span("place_kept_s")',
        "    due = place.lost_at",
        ("tests/consulting/waiting_room/test_places_kept.py",),
    ),
)
