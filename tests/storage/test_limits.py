"""Every query that gives rows has a limit, or says here what bounds them."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Executable

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "storage"
LISTS = {"all": 1, "scalars": 0}
"""What gives rows, and which of its arguments is the statement."""

BY_IDS = "one row for each of the ids that it is asked for"
A_BLOCK = "a block has at most 60 calls, and each place or waiting person is one of it"
A_GROUP = "a conversation has at most `group_members_max` members"
A_CONSUMER = "one row for each consumer that some version of the server declares"
BOUNDED = {
    "platform.auth.sessions.list_live_sessions": "a person has at most SESSIONS_MAX",
    "consulting.availability.schedules.list_empty": BY_IDS,
    "consulting.availability.schedules.list_overrides": (
        "weeks of one schedule, as far ahead as weeks may be set"
    ),
    "consulting.booking.list_overdue": A_BLOCK,
    "consulting.booking.list_quarter_holders": "the quarters of one booking, for one student",
    "consulting.call.list_over": BY_IDS,
    "consulting.call.list_stays": (
        "the stays of one call, which ends; joining it is a command with a rate"
    ),
    "platform.chat.conversations.count_unread": BY_IDS,
    "platform.chat.conversations.list_last_messages": BY_IDS,
    "platform.chat.conversations.list_named": "the groups that one person named, at their erasure",
    "platform.chat.conversations.list_newest_seqs": BY_IDS,
    "platform.chat.blocks.list_blocked": "a person blocks at most BLOCKED_MAX",
    "platform.chat.blocks.list_blockers": BY_IDS,
    "platform.chat.blocks.list_blocks_by": "who blocks one of a page of people, BLOCKED_MAX each",
    "platform.chat.marks.list_marks": f"{A_GROUP}; of a page of conversations",
    "platform.chat.marks.list_reached": A_GROUP,
    "platform.chat.members.count_members": BY_IDS,
    "platform.chat.members.list_intervals": "how often one person was in one conversation",
    "platform.chat.members.list_members": f"{A_GROUP}; of a page of conversations",
    "platform.chat.members.list_present": A_GROUP,
    "platform.chat.pins.list_pinned": "a conversation has at most PINNED_MAX",
    "platform.chat.reactions.list_reactions": (
        "a message has at most DIFFERENT_MAX, by a group's members"
    ),
    "platform.chat.removals.list_removed": BY_IDS,
    "platform.chat.search.list_said": "both statements, as text, have a LIMIT",
    "platform.chat.states.list_states": BY_IDS,
    "consulting.consultants.list_topics": (
        "a consultant has at most TOPICS_MAX; of a page of consultants"
    ),
    "consulting.consultants.sum_topic_texts": BY_IDS,
    "events.backfills.list_backfills": A_CONSUMER,
    "events.backfills.list_unheard": "the events up to `end`, which `find_end` puts a page further",
    "events.consumers.list_lapsed": A_CONSUMER,
    "events.consumers.list_served": A_CONSUMER,
    "events.log.list_heads": BY_IDS,
    "events.holds.list_holds": "a pool has as many places as its size",
    "events.holds.lock_pools": BY_IDS,
    "platform.identities.list_identities": "a person has at most IDENTITIES_MAX",
    "events.instances.list_living": "the instances of one installation",
    "events.instances.list_silent": (
        "the instances of one installation; the first look takes them away"
    ),
    "platform.moderation.answer_flags": "a member flags a message once, and a group has a size",
    "platform.notifications.inbox.mark_read": BY_IDS,
    "platform.personal_data.kept_json.list_kept": "the statement is built with a LIMIT",
    "platform.personal_data.personal_rows.list_rows": "the statement is built with a LIMIT",
    "platform.pincodes.lock_pincodes": (
        "of one address, as many as may be sent until they are forgotten"
    ),
    "platform.presence.list_presences": BY_IDS,
    "platform.profile.list_users": BY_IDS,
    "platform.notifications.push_devices.list_devices": "a person has at most DEVICES_MAX",
    "consulting.availability.waiting_lists.list_offered": A_BLOCK,
    "consulting.waiting_room.list_places": A_BLOCK,
    "consulting.waiting_room.list_places_of": (
        "a student is in a waiting room once for each booking of a day"
    ),
}
"""Function → why its rows are few without a LIMIT. A new query belongs here only for a reason that
holds however long the installation runs."""


def asked_for_rows(module: str, path: Path) -> Iterator[tuple[str, Any]]:
    """The functions of a file that ask for rows, each with its statement (None: built there)."""
    loaded = import_module(module)
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                place = LISTS.get(call.func.attr, len(call.args))
                if place < len(call.args) and isinstance(call.func.value, ast.Name):
                    told = call.args[place]
                    name = told.id if isinstance(told, ast.Name) else ""
                    yield function.name, getattr(loaded, name, None)


def has_limit(statement: Executable | None) -> bool:
    return getattr(statement, "_limit_clause", None) is not None


def unlimited() -> set[str]:
    found = set()
    for path in sorted(STORAGE.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        for function, statement in asked_for_rows(".".join(parts).removesuffix(".__init__"), path):
            if not has_limit(statement):
                found.add(f"{'.'.join(parts[1:])}.{function}")
    return found


def test_every_query_that_gives_rows_has_a_limit_or_a_reason():
    found = unlimited()
    assert found - set(BOUNDED) == set(), "give it a LIMIT, or say what bounds its rows"
    assert set(BOUNDED) - found == set(), "it has a limit now, or is gone"
    assert len(found) > 20, "the look at the files finds nothing any more"
