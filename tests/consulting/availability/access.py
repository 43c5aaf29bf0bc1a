"""Who may use the commands of `availability`."""

from tests.access import ANYBODY, SIGNED_IN, Access, only

ACCESS = Access(
    commands={
        "/availability": {
            "set_default_schedule": only("consultant"),
            "override_week": only("consultant"),
            "clear_override": only("consultant"),
            "get_schedule": only("consultant"),
            "get_available_now": only("consultant"),
            "set_terms": only("consultant"),
            "get_terms": ANYBODY,
            "set_available_now": only("consultant"),
            "list_blocks": ANYBODY,
            "check": ANYBODY,
            "watch": ANYBODY,
            "unwatch": ANYBODY,
            "join_waiting_list": SIGNED_IN,
            "leave_waiting_list": SIGNED_IN,
            "waits": SIGNED_IN,
        },
    },
    anybodys={
        ("/availability", "list_blocks"): "a consultant's hours are public",
        ("/availability", "get_terms"): "a consultant's terms are public",
        ("/availability", "check"): "a consultant's hours are public",
        ("/availability", "watch"): "a consultant's hours are public",
        ("/availability", "unwatch"): "a consultant's hours are public",
        ("/availability", "join_waiting_list"): "it changes only the user's own entry",
        ("/availability", "leave_waiting_list"): "it changes only the user's own entry",
    },
)
