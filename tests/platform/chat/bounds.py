"""What bounds `chat`, as `tests/bounds.py` asks."""

from tests.bounds import BY_IDS

A_GROUP = "a conversation has at most `group_members_max` members"
BOUNDED = {
    "conversations.count_unread": BY_IDS,
    "conversations.list_last_messages": BY_IDS,
    "conversations.list_named": "the groups named by one user, read when it is erased",
    "conversations.list_newest_seqs": BY_IDS,
    "marks.list_marks": f"{A_GROUP}, for each conversation of a page",
    "marks.list_untold": BY_IDS,
    "marks.list_reached": A_GROUP,
    "members.count_members": BY_IDS,
    "members.list_intervals": "one row for each time that a user joined one conversation",
    "members.list_members": f"{A_GROUP}, for each conversation of a page",
    "members.list_present": A_GROUP,
    "pins.list_pinned": "a conversation has at most PINNED_MAX",
    "reactions.list_reactions": "DIFFERENT_MAX emoji for each message, by the members of one group",
    "removals.list_removed": BY_IDS,
    "search.list_matches": "both text statements have a LIMIT",
    "search_index._index_noted": "the statement, as text, has a LIMIT",
    "search_index._set_missing_terms": "the statement, as text, has a LIMIT",
    "states.list_states": BY_IDS,
}
OF_ONE = {
    "search._IN_SQLITE": "sqlite",
    "search._MERGE": "sqlite",
    "search._CHANGES": "sqlite",
    "search._IN_POSTGRESQL": "postgresql",
    "search_index._COUNT_NEW": "sqlite",
    "search_index._IS_NOTED": "sqlite",
    "search_index._NOTED": "sqlite",
    "search_index._FORGET": "sqlite",
    "search_index._INDEX": "sqlite",
    "search_index._IS_WITHOUT_TERMS": "postgresql",
    "search_index._LIST_WITHOUT_TERMS": "postgresql",
    "search_index._SET_TERMS": "postgresql",
    "messages._INSERT_INDEXED": "postgresql",
    "messages._EDIT_INDEXED": "postgresql",
}
WAITING = "its index has only the messages that wait, and they have a LIMIT"
SCANNED = {
    "search_index._IS_WITHOUT_TERMS": WAITING,
    "search_index._LIST_WITHOUT_TERMS": WAITING,
}
