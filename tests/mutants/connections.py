"""Mutants of rooms, connections, sessions, roles and limits."""

from tests.mutants.mutant import Mutant

CONNECTIONS = "tests/server/test_connections.py"
DELIVERY = "tests/rooms/test_delivery.py"
DISPATCH = "tests/server/test_dispatch.py"
ENTERING = "tests/rooms/test_entering.py"
FLOODS = "tests/faults/test_connection_floods.py"
SESSIONS = "tests/server/test_sessions.py"
STREAM = "tests/rooms/test_stream.py"
BUS = "tests/rooms/test_redis_bus.py"

MUTANTS = (
    # Rooms.
    Mutant(
        "An event lost between instances never arrives",
        "rooms/gaps.py",
        "        if found.cursor is not None and found.cursor < upto and not found.filling:",
        "        if False:",
        (f"{DELIVERY}::test_a_lost_event_is_read_from_the_database_after_a_moment",),
    ),
    Mutant(
        "A lost last event arrives only with the next one",
        "rooms/gaps.py",
        "                    self.catch_up(found, head.seq, wait_s=0)",
        "                    pass",
        (f"{DELIVERY}::test_a_lost_last_event_is_found_by_the_sweep",),
    ),
    Mutant(
        "Events are sent in the order in which they arrive",
        "rooms/stream.py",
        "        while (event := self.ahead.pop((self.cursor or 0) + 1, None)) is not None:",
        "        while (event := self.ahead.pop(min(self.ahead, default=0), None)) is not None:",
        (f"{STREAM}::test_numbers_are_sent_in_order_for_any_order_of_arrival",),
    ),
    Mutant(
        "A device that reconnects receives an event twice",
        "rooms/stream.py",
        "            if event.seq <= floor:\n                continue\n",
        "",
        (
            f"{STREAM}::test_every_member_gets_exactly_the_events_above_its_floor_in_order",
            f"{ENTERING}::test_a_snapshot_ahead_of_arrived_events_repeats_nothing",
        ),
    ),
    Mutant(
        "A device that reconnects does not receive missed events",
        "rooms/replay.py",
        "            member.send(event_packet(event))",
        "            pass",
        (f"{CONNECTIONS}::test_a_client_returning_with_a_number_gets_missed_events_before_synced",),
    ),
    Mutant(
        "A device is told that it missed nothing although events were deleted",
        "rooms/replay.py",
        "    if behind and count_since(tx, one.stream, one.since, head) != behind:",
        "    if False:",
        (f"{ENTERING}::test_a_stream_with_deleted_events_is_not_replayed_in_part",),
    ),
    Mutant(
        "A device with event numbers of another database is told that it missed nothing",
        "server/since.py",
        '    is_current = auth.get("epoch", epoch) == epoch',
        "    is_current = True",
        (f"{CONNECTIONS}::test_another_epoch_recovers_nothing",),
    ),
    Mutant(
        "A user who was removed from a room still receives its events",
        "rooms/stream.py",
        "                for member in [m for m in self.members if m.user_id == change.user_id]:",
        "                for member in []:",
        (f"{STREAM}::test_a_member_removed_at_a_number_gets_that_event_and_no_later_one",),
    ),
    Mutant(
        "Other instances receive events only from their periodic check",
        "rooms/rooms.py",
        "        self._bus.publish(event)\n",
        "",
        (f"{BUS}::test_events_reach_the_other_instance_at_once_and_in_order",),
    ),
    Mutant(
        "Typing on one instance is not shown on another",
        "rooms/ephemeral.py",
        "        self._bus.publish_ephemeral(stream(namespace, room), packet)",
        "        pass",
        (f"{BUS}::test_an_ephemeral_event_arrives_once_on_each_instance",),
    ),
    # Connections.
    Mutant(
        "A device that does not read fills the server's memory",
        "server/session.py",
        "        if not connection.outgoing.send(packet):\n            connection.cut()",
        "        connection.outgoing.send(packet)",
        (
            "tests/server/test_transport.py"
            "::test_a_stalled_reader_is_cut_at_its_limit_and_others_get_all_events",
        ),
    ),
    Mutant(
        "A user appears offline after a short loss of the connection",
        "server/device_presence.py",
        "            if await self._returned(actor):",
        "            if self._people.count(actor.id):",
        (
            "tests/platform/presence/test_presence.py"
            "::test_a_reconnect_within_the_grace_period_sends_no_events",
        ),
    ),
    Mutant(
        "A user stays in a call after the device disconnected",
        "server/connection_gate.py",
        "            self._hooks.end_leases(socket)",
        "            pass",
        (f"{CONNECTIONS}::test_a_lease_ends_with_its_socket",),
    ),
    Mutant(
        "A page of another site uses its visitor's session",
        "server/origins.py",
        "        return allowed\n",
        "        return True\n",
        (
            "tests/server/test_shell_security.py"
            "::test_an_origin_that_is_not_listed_is_refused_at_the_handshake",
        ),
    ),
    Mutant(
        "A client whose message is too large reconnects and sends it again",
        "server/websocket.py",
        "            self._server.on_unreadable(self._socket.sid)",
        "            pass",
        (
            "tests/server/test_official_clients.py"
            "::test_a_client_that_sends_what_is_not_read_is_told_once_and_does_not_return",
        ),
    ),
    Mutant(
        "A second connect closes a socket that works",
        "server/namespace_entry.py",
        "            return self._confirm(connection.sockets[namespace])",
        "            return self._refuse(connection, namespace, unreadable(namespace))",
        ("tests/server/test_official_clients.py::test_a_socket_that_connects_twice_works",),
    ),
    Mutant(
        "A client makes up where a page of a list begins",
        "handlers/kit/paging.py",
        "    if not hmac.compare_digest(_signature(tx, listed, packed).encode(), given):",
        "    if False:",
        ("tests/server/test_paging.py::test_a_cursor_of_another_list_is_refused",),
    ),
    # Sessions and roles.
    Mutant(
        "A signed-out device stays connected",
        "server/connection_gate.py",
        "                self._tasks.spawn(self.end(connection))",
        "                pass",
        (f"{SESSIONS}::test_logging_out_ends_every_connection_of_the_session_and_no_other",),
    ),
    Mutant(
        "A stolen refresh token stays valid",
        "handlers/platform/auth/service/sessions.py",
        '    end_session(tx, session.id, session.user_id, "refresh_reused")\n',
        "",
        (f"{SESSIONS}::test_a_spent_token_that_comes_back_too_late_ends_the_session",),
    ),
    Mutant(
        "Users without the required role can use a command",
        "server/dispatch.py",
        "    elif endpoint.roles and not endpoint.roles & actor.roles:",
        "    elif False:",
        (f"{DISPATCH}::test_a_command_with_a_role_is_forbidden_without_it",),
    ),
    Mutant(
        "A revoked role lasts until the connection ends",
        "server/connection_gate.py",
        "        self.people.set_roles(user_id, roles)",
        "        pass",
        (
            "tests/platform/moderation/test_moderators.py"
            "::test_a_revoked_role_ends_immediately_on_every_device",
        ),
    ),
    # Limits.
    Mutant(
        "A user can send any number of commands",
        "server/dispatch.py",
        "        await self._limit(command.rate, incoming, request.uses())",
        "        pass",
        (f"{DISPATCH}::test_too_many_commands_get_the_time_to_wait",),
    ),
    Mutant(
        "A user can cause any amount of work",
        "server/dispatch.py",
        "            if wait_s := self._work.wait_of(incoming.actor, incoming.origin):",
        "            if wait_s := 0.0:",
        ("tests/faults/test_expensive_commands.py::test_large_answers_are_charged_by_their_size",),
    ),
    Mutant(
        "A request without Content-Length fills the server's memory",
        "server/bodies.py",
        "            if size > size_max:",
        "            if False:",
        ("tests/faults/test_bodies.py::test_an_endless_chunked_body_is_refused_at_the_size_limit",),
    ),
    Mutant(
        "A compressed request fills the server's memory",
        "server/bodies.py",
        "        if encoding not in NOT_ENCODED:",
        "        if False:",
        ("tests/faults/test_bodies.py::test_a_compressed_body_is_refused_and_never_decompressed",),
    ),
    Mutant(
        "One address can take all connections",
        "server/capacity.py",
        "        if crowded or self._accepted.total >= self._bounds.connections:",
        "        if self._accepted.total >= self._bounds.connections:",
        (f"{FLOODS}::test_one_address_never_takes_all_connections",),
    ),
    Mutant(
        "Signed-in devices of one address can take all connections",
        "server/capacity.py",
        "        if self._connections.of(network) >= bounds.per_address:",
        "        if False:",
        (f"{FLOODS}::TestCaps::test_signed_in_connections_of_an_address_are_capped",),
    ),
    Mutant(
        "A user can open any number of connections",
        "server/devices.py",
        "            return here <= self._cap and await self._admits(user_id, here)",
        "            return await self._admits(user_id, here)",
        ("tests/server/test_shell_security.py::test_a_user_has_a_maximum_number_of_connections",),
    ),
)
