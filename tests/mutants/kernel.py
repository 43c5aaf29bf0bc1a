"""Mutants of transactions, request ids, events, the relay, timers and places."""

from tests.mutants.mutant import Mutant

DISPATCH = "tests/server/test_dispatch.py"
IDEMPOTENCY = "tests/server/test_idempotency.py"
RELAY = "tests/server/test_relay.py"
QUEUES = "tests/storage/test_queues.py"
TRANSACTIONS = "tests/storage/test_transactions.py"

MUTANTS = (
    # Transactions.
    Mutant(
        "On SQLite, a refused command leaves half of its change",
        "storage/engine/sqlite_batches.py",
        '            connection.execute("ROLLBACK TO work")\n',
        "",
        (f"{TRANSACTIONS}::test_a_transaction_that_raises_is_rolled_back_and_others_continue",),
    ),
    Mutant(
        "On PostgreSQL, a refused command leaves half of its change",
        "storage/engine/postgres.py",
        '        if getattr(raised, "keeps", False):',
        "        if True:",
        (f"{TRANSACTIONS}::test_a_transaction_that_raises_is_rolled_back_and_others_continue",),
    ),
    Mutant(
        "On PostgreSQL, two concurrent changes overwrite each other",
        "storage/engine/postgres.py",
        "        engine = self._serializable if serializable else self._engine",
        "        engine = self._engine",
        ("tests/storage/test_isolation.py::test_serializable_prevents_concurrent_overdrafts",),
    ),
    Mutant(
        "On PostgreSQL, a serialization failure is not retried",
        "storage/engine/postgres.py",
        '_RERUN = {"40001", "40P01"}',
        "_RERUN: set[str] = set()",
        (
            "tests/storage/test_postgres.py"
            "::test_a_conflicting_transaction_is_rerun_with_its_effects_once",
        ),
    ),
    Mutant(
        "A change with an unanswered COMMIT is reported as not done",
        "storage/engine/postgres.py",
        "        raise OutcomeUnknown(f",
        "        raise StorageUnavailable(f",
        ("tests/storage/test_postgres.py::test_a_commit_without_an_answer_has_an_unknown_outcome",),
    ),
    Mutant(
        "A database of a newer version is used as if it were known",
        "storage/engine/migrate.py",
        "    if revision not in known_revisions():",
        "    if False:",
        ("tests/storage/test_upgrades.py::test_a_database_of_an_unknown_revision_is_refused",),
    ),
    # Request ids.
    Mutant(
        "A repeated request runs twice",
        "handlers/kit/idempotency.py",
        "            raise Replayed(found.answer)",
        "            pass",
        (f"{DISPATCH}::test_the_same_request_id_changes_nothing_and_gets_the_same_answer",),
    ),
    Mutant(
        "A used request id is accepted for another request",
        "handlers/kit/idempotency.py",
        "        if found.payload_hash != self._payload_hash:",
        "        if False:",
        (f"{DISPATCH}::test_the_same_request_id_with_another_payload_is_a_conflict",),
    ),
    Mutant(
        "Two attempts at one payment call the provider concurrently",
        "handlers/kit/idempotency.py",
        "        if is_leased and found.holder != self._holder:",
        "        if False:",
        (
            f"{IDEMPOTENCY}"
            "::test_two_concurrent_requests_cause_one_external_call_and_get_one_answer",
        ),
    ),
    Mutant(
        "A retried payment repeats its finished steps",
        "handlers/kit/idempotency.py",
        "        return found.steps or {}",
        "        return {}",
        (f"{IDEMPOTENCY}::test_a_retry_resumes_after_the_step_that_is_kept",),
    ),
    Mutant(
        "An attempt continues after another one took over its request",
        "handlers/kit/idempotency.py",
        "        if not keys.lease_claim(tx, self._key, self._holder, until):",
        "        if keys.lease_claim(tx, self._key, self._holder, until) is None:",
        (
            f"{IDEMPOTENCY}::test_an_external_call_does_not_start_after_its_lease_expired",
            f"{IDEMPOTENCY}::test_an_attempt_that_lost_its_lease_commits_nothing",
        ),
    ),
    # Events.
    Mutant(
        "An event is deleted before its consumer has processed it",
        "storage/events/log.py",
        '    .where(events.c.id < bindparam("before_id"), ~_PENDING)',
        '    .where(events.c.id < bindparam("before_id"))',
        (f"{RELAY}::test_an_event_is_not_deleted_before_it_is_processed",),
    ),
    Mutant(
        "A secret in an event is stored as plain text",
        "handlers/kit/transaction.py",
        "            data=self.keys.seal(data) if event.SEALED else data,",
        "            data=data,",
        ("tests/server/test_canary.py::test_a_pincode_that_waits_for_its_mail_is_sealed_too",),
    ),
    # The relay.
    Mutant(
        "Consumers process the events of a key in another order",
        "storage/events/deliveries.py",
        "        .order_by(_d.number, _d.consumer)",
        "        .order_by(_d.number.desc(), _d.consumer)",
        (f"{RELAY}::test_events_of_one_key_are_processed_in_commit_order",),
    ),
    Mutant(
        "A delivery that always fails is retried for ever",
        "server/relay.py",
        "        parked = attempts >= self._retry_policy.tries",
        "        parked = False",
        (f"{RELAY}::test_a_delivery_without_retries_left_is_parked_and_in_the_metrics",),
    ),
    Mutant(
        "A parked delivery is retried without an operator",
        "server/relay.py",
        "        if lowest is None or lowest.parked or (held and lowest.number >= 0):",
        "        if lowest is None or (held and lowest.number >= 0):",
        (f"{RELAY}::test_a_parked_delivery_is_not_retried_automatically",),
    ),
    Mutant(
        "A delivery of a dead instance is never made",
        "server/relay.py",
        "        for queue in due:\n            self.serve(queue)\n",
        "",
        (f"{RELAY}::test_the_sweep_finds_deliveries_of_a_dead_instance",),
    ),
    Mutant(
        "Two workers send the same mail at the same time",
        "server/outbound.py",
        "        if not ours:\n            raise LeaseLost",
        "        del ours",
        (f"{RELAY}::test_a_worker_without_its_lease_stops_and_leaves_the_delivery",),
    ),
    # Timers.
    Mutant(
        "A timer fires twice",
        "storage/events/timers.py",
        "    return tx.run(_TAKE, of_key=timer.key, at_due=timer.due_at) == 1",
        "    return tx.run(_TAKE, of_key=timer.key, at_due=timer.due_at) >= 0",
        (f"{QUEUES}::test_exactly_one_caller_takes_a_timer",),
    ),
    Mutant(
        "An earlier timer fires only when a later one is due",
        "server/timers.py",
        "            self._set.set()",
        "            pass",
        (f"{RELAY}::test_a_sooner_timer_does_not_wait_for_a_later_one",),
    ),
    # Places.
    Mutant(
        "More places are taken than exist",
        "storage/events/holds.py",
        '    .where(pools.c.id == bindparam("pool"), pools.c.taken < pools.c.capacity)',
        '    .where(pools.c.id == bindparam("pool"))',
        (f"{QUEUES}::test_concurrent_holds_get_exactly_the_available_places",),
    ),
    Mutant(
        "A place that is released twice becomes free twice",
        "storage/events/holds.py",
        "    if tx.run(_DELETE_HOLD, pool=pool_id, held_for=for_id) == 0:",
        "    if tx.run(_DELETE_HOLD, pool=pool_id, held_for=for_id) < 0:",
        (f"{QUEUES}::test_releasing_many_times_frees_one_place",),
    ),
    Mutant(
        "An expired hold keeps its place until a timer fires",
        "storage/events/holds.py",
        "    places = tx.run(_DELETE_EXPIRED, pool=pool_id, of_kind=kind, now=now)",
        "    places = 0",
        (
            "tests/consulting/availability/test_waiting_list.py"
            "::test_joining_the_list_is_refused_when_only_an_expired_hold_fills_the_block",
        ),
    ),
    # Instances.
    Mutant(
        "The holds of a dead instance are never released",
        "server/heartbeat.py",
        "            tx.publish(InstanceLost(instance_id=instance_id, at=at))\n",
        "",
        ("tests/server/test_heartbeat.py::test_an_orderly_stop_publishes_its_own_loss",),
    ),
    Mutant(
        "A device continues with event numbers from before a restore",
        "server/backup/restoring.py",
        "                asyncio.run(_renew_epoch(staging.database))",
        "                pass",
        (
            "tests/server/backup/test_restoring.py"
            "::test_a_restore_recreates_the_database_the_files_and_the_secret",
        ),
    ),
)
