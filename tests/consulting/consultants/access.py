"""Who may use the commands of `consultants`."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/consultants": {
            "become": SIGNED_IN,
            "update": SIGNED_IN,
            "stop": SIGNED_IN,
            "get": ANYBODY,
            "watch": ANYBODY,
            "unwatch": ANYBODY,
            "list": ANYBODY,
            "add_topic": SIGNED_IN,
            "update_topic": SIGNED_IN,
            "remove_topic": SIGNED_IN,
        },
    },
    taken={
        "/consultants add_topic hourly_rate": "the consultant's own price",
        "/consultants update_topic hourly_rate": "the consultant's own price",
    },
    anybodys={
        ("/consultants", "get"): "a consultant's page is public",
        ("/consultants", "watch"): "a consultant's page is public",
        ("/consultants", "unwatch"): "a consultant's page is public",
    },
    elsewhere={
        (
            "/consultants",
            "become",
        ): "refused to consultants; `update` takes the same picture",
    },
    theirs={
        ("/consultants", "update"): ("picture_id", {}),
        ("/consultants", "add_topic"): (
            "icon_id",
            {
                "name": "Mine",
                "description": "",
                "hourly_rate": {"amount": 1, "currency": "EUR"},
                "minimal_duration_minutes": 10,
            },
        ),
        ("/consultants", "update_topic"): ("topic_id", {"name": "Mine now"}),
        ("/consultants", "remove_topic"): ("topic_id", {}),
    },
)
