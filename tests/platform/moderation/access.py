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
        "/moderation decide version": "the one that the client has seen",
        "/moderation undo version": "the one that the client has seen",
    },
    elsewhere={
        ("/moderation", "case"): "by the role",
        ("/moderation", "media"): "by the role",
        ("/moderation", "decide"): "by the role",
        ("/moderation", "undo"): "by the role",
    },
    theirs={
        ("/moderation", "flag"): ("message_id", {"reason": "spam"}),
    },
)
