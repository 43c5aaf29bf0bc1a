"""Who may use the commands of `moderation`."""

from tests.access import SIGNED_IN, Access, only

ACCESS = Access(
    commands={
        "/moderation": {
            "flag": SIGNED_IN,
            "queue": only("moderator"),
            "case": only("moderator"),
            "media": only("moderator"),
            "decide": only("moderator"),
            "undo": only("moderator"),
            "audit": only("moderator"),
        },
    },
    taken={
        "/moderation decide version": "the version that the client last saw",
        "/moderation undo version": "the version that the client last saw",
    },
    elsewhere={
        ("/moderation", "case"): "moderators have access to all messages",
        ("/moderation", "media"): "moderators have access to all messages",
        ("/moderation", "decide"): "moderators have access to all messages",
        ("/moderation", "undo"): "moderators have access to all messages",
    },
    theirs={
        ("/moderation", "flag"): ("message_id", {"reason": "spam"}),
    },
)
