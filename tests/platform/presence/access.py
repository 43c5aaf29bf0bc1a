"""Who may use the commands of `presence`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/presence": {
            "watch": SIGNED_IN,
            "unwatch": SIGNED_IN,
            "set_status": SIGNED_IN,
        },
    },
    taken={
        "/presence set_status status": "one's own",
    },
    anybodys={
        ("/presence", "watch"): "other people; only those who share a conversation hear anything",
        ("/presence", "unwatch"): "other people; only those who share a conversation hear anything",
    },
)
