"""Who may use the commands of `waiting_room`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/waiting-room": {
            "enter": SIGNED_IN,
            "leave": SIGNED_IN,
            "get": SIGNED_IN,
            "queue": SIGNED_IN,
            "admit": SIGNED_IN,
        },
    },
    theirs={
        ("/waiting-room", "enter"): ("booking_id", {}),
        ("/waiting-room", "leave"): ("booking_id", {}),
        ("/waiting-room", "get"): ("booking_id", {}),
        ("/waiting-room", "queue"): ("block_id", {}),
        ("/waiting-room", "admit"): ("booking_id", {}),
    },
)
