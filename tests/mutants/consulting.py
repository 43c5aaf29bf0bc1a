"""Mutants of consulting's domains."""

from tests.mutants.mutant import Mutant

CALLS = "tests/consulting/call/test_calls.py"
TALKED = "tests/consulting/call/test_talked_time.py"
TERMS = "tests/consulting/availability/test_terms.py"
WAITING_LIST = "tests/consulting/availability/test_waiting_list.py"

MUTANTS = (
    Mutant(
        "A free place is not offered to the waiting list",
        "handlers/consulting/availability/service/places.py",
        "    lists.offer_free_places(tx, block_id)\n",
        "",
        (f"{WAITING_LIST}::test_a_freed_place_is_offered_only_to_the_first_on_the_waiting_list",),
    ),
    Mutant(
        "The last student on the waiting list is offered a place first",
        "storage/consulting/availability/waiting_lists.py",
        "    .where(_IN_BLOCK, _w.offer_id.is_(None))\n    .order_by(_w.joined_at, _w.user_id)",
        "    .where(_IN_BLOCK, _w.offer_id.is_(None))\n    .order_by(_w.joined_at.desc())",
        (f"{WAITING_LIST}::test_a_freed_place_is_offered_only_to_the_first_on_the_waiting_list",),
    ),
    Mutant(
        "A student takes a place that is offered to another student",
        "handlers/consulting/availability/service/lists.py",
        "    holds.take_place(tx, hold)\n",
        "",
        (f"{WAITING_LIST}::test_a_freed_place_is_offered_only_to_the_first_on_the_waiting_list",),
    ),
    Mutant(
        "An offer that a block skipped is not made after the block",
        "handlers/consulting/availability/service/lists.py",
        "        else:\n            tx.publish(OfferDue(block_id=block_id))",
        "        elif apart:\n            tx.publish(OfferDue(block_id=block_id))",
        (f"{WAITING_LIST}::test_an_unblocked_user_gets_the_offer_that_was_skipped",),
    ),
    Mutant(
        "A student can book two consultations at the same time",
        "handlers/consulting/booking/service/requests.py",
        "    if not availability.take_time(",
        "    if not (",
        (
            "tests/consulting/booking/test_requests.py"
            "::test_a_student_cannot_have_overlapping_bookings",
        ),
    ),
    Mutant(
        "An unanswered booking request never expires",
        "handlers/consulting/booking/service/requests.py",
        "    expire_later(tx, row)\n",
        "",
        (
            "tests/consulting/booking/test_expiry.py"
            "::test_a_request_expires_after_a_day_and_notifies_both_parties_once",
        ),
    ),
    Mutant(
        "A cancelled booking keeps its place",
        "handlers/consulting/booking/service/expiry.py",
        '    if row.block_id is not None and status not in ("completed", "missed"):',
        "    if False:",
        (
            "tests/consulting/booking/test_answers.py"
            "::test_a_rejection_or_cancellation_frees_the_place_and_gives_the_reason",
        ),
    ),
    Mutant(
        "Two concurrent answers to a booking both succeed",
        "storage/consulting/booking.py",
        "_LOCK = _FIND.with_for_update()",
        "_LOCK = _FIND",
        (
            "tests/consulting/booking/test_races.py"
            "::test_a_booking_with_concurrent_answers_ends_once",
            "tests/consulting/booking/test_races.py::test_concurrent_approvals_succeed_once",
        ),
    ),
    Mutant(
        "Two devices of one user count the talked time twice",
        "handlers/consulting/call/talk.py",
        "        if joined and start <= joined[-1][1]:",
        "        if False:",
        (
            f"{TALKED}::test_talked_time_is_the_time_in_which_both_sides_are_connected",
            f"{TALKED}::test_a_call_counts_the_seconds_with_devices_of_both_participants",
        ),
    ),
    Mutant(
        "A call with a single participant never ends",
        "handlers/consulting/call/service.py",
        '    _set_timer(tx, row.id, at + tx.rules.span("call_lost_s"))\n',
        "",
        (f"{CALLS}::test_a_participant_disconnected_for_60_s_ends_the_call",),
    ),
    Mutant(
        "The talked time continues after the server was killed",
        "handlers/consulting/call/service.py",
        "    store.shorten_stay(tx, stay.id, max(at, stay.joined_at))\n",
        "",
        (f"{TALKED}::test_talked_time_counts_up_to_the_last_heartbeat_of_a_dead_instance",),
    ),
    Mutant(
        "A consultant has two calls at the same time",
        "handlers/consulting/call/service.py",
        "    if busy is not None:",
        "    if False:",
        ("tests/consulting/booking/test_now.py::test_concurrent_approvals_initiate_only_one_call",),
    ),
    Mutant(
        "A booking without a call stays approved after its hour",
        "handlers/consulting/booking/service/hours.py",
        '        expiry.end(tx, row, "missed", None, BookingMissed)',
        "        return False",
        (
            "tests/consulting/booking/test_ended_hours.py"
            "::test_an_hour_without_a_call_is_missed_and_says_who_came",
        ),
    ),
    Mutant(
        "A lost call ends its booking",
        "handlers/consulting/booking/service/hours.py",
        '    if call.started_at is not None and call.end_reason == "ended":',
        "    if call.started_at is not None:",
        (
            "tests/consulting/booking/test_ended_hours.py"
            "::test_both_can_return_to_a_lost_call_until_the_hour_ends",
        ),
    ),
    Mutant(
        "A call that moved to another device stays open on the first",
        "handlers/consulting/call/service.py",
        "        if other.user_id == tx.actor.id and other.device_id != device_id:",
        "        if False:",
        (
            "tests/consulting/call/test_calls.py"
            "::test_joining_on_another_device_moves_the_call_to_it",
        ),
    ),
    Mutant(
        "A student who reconnects loses the place in the waiting room",
        "handlers/consulting/waiting_room/service/places.py",
        '    due = place.lost_at + tx.rules.span("place_kept_s")',
        "    due = place.lost_at",
        (
            "tests/consulting/waiting_room/test_places_kept.py"
            "::test_a_reconnect_within_60_s_keeps_the_place",
        ),
    ),
    Mutant(
        "Two blocks of a consultant overlap",
        "storage/consulting/availability/open_hours.py",
        "    where=_h.quarters.bitwise_and(_INSERT.excluded.quarters) == 0,\n",
        "",
        (
            "tests/consulting/availability/test_overlaps.py"
            "::test_the_database_refuses_overlapping_blocks",
        ),
    ),
    Mutant(
        "Concurrent requests of a student exceed the limit of unanswered ones",
        "handlers/consulting/booking/service/requests.py",
        "    profiles.hold_user(tx, tx.actor.id)\n",
        "",
        (f"{TERMS}::test_concurrent_requests_do_not_exceed_the_limit_of_open_ones",),
    ),
    Mutant(
        "A place is offered to somebody who has another call then",
        "handlers/consulting/availability/service/lists.py",
        "    return [row for row in rows if row.user_id not in unable]",
        "    return rows",
        (f"{WAITING_LIST}::test_an_offer_skips_users_who_cannot_take_it",),
    ),
    Mutant(
        "A consultant stays available now after the last device left",
        "handlers/consulting/availability/service/now.py",
        "        row.resumes = row.back_when_online and (row.available or row.resumes)\n"
        "        _change(tx, row, False)",
        "        row.resumes = row.back_when_online and (row.available or row.resumes)",
        (
            "tests/consulting/availability/test_available_now.py"
            "::test_the_status_is_off_while_no_device_is_connected",
        ),
    ),
    Mutant(
        "A blocked user goes on watching the consultant",
        "server/connection_gate.py",
        "                self._rooms.leave(socket, name)",
        "                pass",
        (
            "tests/consulting/booking/test_blocked.py"
            "::test_a_blocked_user_stops_watching_the_consultant_on_every_instance",
        ),
    ),
    Mutant(
        "A student who is admitted while away loses the place",
        "handlers/consulting/waiting_room/service/desk.py",
        '    if call.started_at is None and call.end_reason in ("unheld", "ended"):',
        "    if False:",
        (
            "tests/consulting/waiting_room/test_told.py"
            "::test_a_call_that_does_not_start_gives_the_student_the_place_back",
        ),
    ),
    Mutant(
        "A replaced address of a calendar still works",
        "handlers/consulting/calendar/feeds.py",
        "    row.feed_serial += 1\n",
        "",
        (
            "tests/consulting/calendar/test_calendar.py"
            "::test_the_feed_shows_the_bookings_until_its_address_is_renewed",
        ),
    ),
)
