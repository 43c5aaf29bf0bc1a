"""Who may use the commands of `calendar`."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/calendar": {
            "get": SIGNED_IN,
            "set_reminders": SIGNED_IN,
            "renew_feed": SIGNED_IN,
            "file": SIGNED_IN,
        },
    },
    routes={"GET /calendar/{}/{}.ics": ANYBODY},  # with the user's private key
    theirs={("/calendar", "file"): ("booking_id", {})},
)
