"""Who may use the commands of `presence`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/presence": {
            "watch": SIGNED_IN,
            "unwatch": SIGNED_IN,
            "set_status": SIGNED_IN,
            "set_invisible": SIGNED_IN,
            "me": SIGNED_IN,
        },
    },
    taken={
        "/presence set_status status": "it belongs to the user",
    },
    anybodys={
        (
            "/presence",
            "watch",
        ): "user ids are public; only who shares a conversation gets events",
        (
            "/presence",
            "unwatch",
        ): "user ids are public; only who shares a conversation gets events",
    },
)
