"""Who may use the commands of `call`."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/call": {
            "current": SIGNED_IN,
            "join": SIGNED_IN,
            "access": SIGNED_IN,
            "signal": SIGNED_IN,
            "leave": SIGNED_IN,
            "end": SIGNED_IN,
        },
    },
    routes={"POST /calls/livekit": ANYBODY},
    theirs={
        ("/call", "join"): ("call_id", {}),
        ("/call", "access"): ("call_id", {}),
        ("/call", "signal"): ("call_id", {"to": "student_id", "data": {}}),
        ("/call", "leave"): ("call_id", {}),
        ("/call", "end"): ("call_id", {}),
    },
)
