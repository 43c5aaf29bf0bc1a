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
        (f"{DISPATCH}::test_a_no_has_its_code_and_leaves_nothing_behind", TRANSACTIONS),
    ),
    Mutant(
        "On PostgreSQL, a refused command leaves half of its change",
        "storage/engine/postgres.py",
        '        if getattr(raised, "keeps", False):',
        "        if True:",
        (TRANSACTIONS,),
    ),
    Mutant(
        "On PostgreSQL, two changes at once overwrite each other",
        "storage/engine/postgres.py",
        "        engine = self._serializable if serializable else self._engine",
        "        engine = self._engine",
        ("tests/storage/test_isolation.py",),
    ),
    Mutant(
        "On PostgreSQL, a change that collided with another is refused",
        "storage/engine/postgres.py",
        '_RERUN = {"40001", "40P01"}',
        "_RERUN: set[str] = set()",
        ("tests/storage/test_postgres.py",),
    ),
    Mutant(
        "A change whose COMMIT was not answered is reported as not done",
        "storage/engine/postgres.py",
        "        raise OutcomeUnknown(f",
        "        raise StorageUnavailable(f",
        (
            f"{IDEMPOTENCY}::test_without_a_request_id_an_unknown_outcome_is_said_to_be_unknown",
            "tests/storage/test_postgres.py",
        ),
    ),
    Mutant(
        "A database of a newer version is used as if it were known",
        "storage/engine/migrate.py",
        "    if revision not in known_revisions():",
        "    if False:",
        ("tests/storage/test_upgrades.py",),
    ),
    # Request ids.
    Mutant(
        "A repeated request is done twice",
        "handlers/kit/idempotency.py",
        "            raise Replayed(found.answer)",
        "            pass",
        (DISPATCH,),
    ),
    Mutant(
        "A request id that was used is taken for another request",
        "handlers/kit/idempotency.py",
        "        if found.payload_hash != self._payload_hash:",
        "        if False:",
        (DISPATCH,),
    ),
    Mutant(
        "Two attempts at one payment call the provider at the same time",
        "handlers/kit/idempotency.py",
        "        if is_leased and found.holder != self._holder:",
        "        if False:",
        (IDEMPOTENCY,),
    ),
    Mutant(
        "A retried payment does its finished steps again",
        "handlers/kit/idempotency.py",
        "        return found.steps or {}",
        "        return {}",
        (IDEMPOTENCY,),
    ),
    Mutant(
        "An attempt goes on after another one took over its request",
        "handlers/kit/idempotency.py",
        "        if not keys.lease_claim(tx, self._key, self._holder, until):",
        "        if keys.lease_claim(tx, self._key, self._holder, until) is None:",
        (IDEMPOTENCY,),
    ),
    # Events.
    Mutant(
        "An event is deleted before its consumer heard it",
        "storage/events/log.py",
        '    .where(events.c.id < bindparam("before_id"), ~_UNDONE)',
        '    .where(events.c.id < bindparam("before_id"))',
        (f"{RELAY}::test_an_event_is_not_forgotten_before_it_was_heard",),
    ),
    Mutant(
        "A secret in an event is stored as plain text",
        "handlers/kit/transaction.py",
        "            data=self.keys.seal(data) if event.SEALED else data,",
        "            data=data,",
        ("tests/server/test_canary.py",),
    ),
    # The relay.
    Mutant(
        "Consumers hear the events of a key in another order",
        "storage/events/deliveries.py",
        "        .order_by(_d.number, _d.consumer)",
        "        .order_by(_d.number.desc(), _d.consumer)",
        (RELAY,),
    ),
    Mutant(
        "A delivery that always fails is tried for ever",
        "server/relay.py",
        "        parked = attempts >= self._retry_policy.tries",
        "        parked = False",
        (f"{RELAY}::test_a_delivery_that_gave_up_is_parked_and_shows_in_the_metrics",),
    ),
    Mutant(
        "The deliveries behind a parked one overtake it",
        "server/relay.py",
        "        if lowest is None or lowest.parked or (held and lowest.number >= 0):",
        "        if lowest is None or (held and lowest.number >= 0):",
        (RELAY,),
    ),
    Mutant(
        "A delivery of an instance that died is never made",
        "server/relay.py",
        "            self.serve(self._of_present_name(queue))",
        "            pass",
        (f"{RELAY}::test_what_a_dead_instance_left_behind_is_found_by_the_sweep",),
    ),
    Mutant(
        "Two workers send the same mail at the same time",
        "server/relay.py",
        "        if not ours:\n            raise LeaseLost",
        "        del ours",
        (f"{RELAY}::test_who_lost_the_lease_stops_and_leaves_the_delivery_alone",),
    ),
    # Timers.
    Mutant(
        "A timer fires twice",
        "storage/events/timers.py",
        "    return tx.run(_TAKE, of_key=timer.key, at_due=timer.due_at) == 1",
        "    return tx.run(_TAKE, of_key=timer.key, at_due=timer.due_at) >= 0",
        (QUEUES, f"{RELAY}::test_a_timer_fires_once_though_two_instances_look_at_it"),
    ),
    Mutant(
        "A timer fires late, after the one that it was set before",
        "server/timers.py",
        "            self._set.set()",
        "            pass",
        (f"{RELAY}::test_a_sooner_timer_does_not_wait_for_a_later_one",),
    ),
    # Places.
    Mutant(
        "More places are taken than there are",
        "storage/events/holds.py",
        '    .where(pools.c.id == bindparam("pool"), pools.c.taken < pools.c.capacity)',
        '    .where(pools.c.id == bindparam("pool"))',
        (QUEUES, "tests/consulting/booking/test_races.py"),
    ),
    Mutant(
        "A place that is given back twice is free twice",
        "storage/events/holds.py",
        "    if tx.run(_DELETE_HOLD, pool=pool_id, held_for=for_id) == 0:",
        "    if tx.run(_DELETE_HOLD, pool=pool_id, held_for=for_id) < 0:",
        (QUEUES,),
    ),
    Mutant(
        "A place that is held for a time is never free again",
        "storage/events/holds.py",
        "    places = tx.run(_DELETE_EXPIRED, pool=pool_id, of_kind=kind, now=now)",
        "    places = 0",
        ("tests/consulting/booking/test_expiry.py",),
    ),
    # Instances.
    Mutant(
        "What an instance held when it died stays held",
        "server/heartbeat.py",
        "            tx.publish(InstanceLost(instance_id=instance_id, at=at))\n",
        "",
        (
            "tests/server/test_heartbeat.py",
            "tests/platform/presence/test_presence.py::test_after_a_kill_the_states_are_true_again",
        ),
    ),
    Mutant(
        "A device that was away takes numbers from before a restore for its own",
        "server/backup/restoring.py",
        "                asyncio.run(_renew_epoch(staging.database))",
        "                pass",
        ("tests/server/backup/test_restoring.py",),
    ),
)
