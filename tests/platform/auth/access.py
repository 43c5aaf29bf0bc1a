"""Who may use the commands of `auth`."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/auth": {
            "login": ANYBODY,
            "refresh": ANYBODY,
            "logout": ANYBODY,
            "forgot": ANYBODY,
            "reset": ANYBODY,
        },
        "/profile": {
            "change_password": SIGNED_IN,
            "sessions": SIGNED_IN,
            "forgive_guesses": SIGNED_IN,
            "end_session": SIGNED_IN,
            "end_other_sessions": SIGNED_IN,
        },
    },
    taken={
        "/profile end_session session_id": "it belongs to the user",
    },
    theirs={
        ("/profile", "end_session"): ("session_id", {}),
    },
)
