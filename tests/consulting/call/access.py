"""Who may use the commands of `call`."""

from tests.access import ANYBODY, SIGNED_IN, Access

GOOD = {
    "loss": 0.0,
    "jitter_ms": 5,
    "round_trip_ms": 40,
    "received_kbps": 900,
    "sent_kbps": 800,
    "freezes": 0,
    "path": "direct",
}
"""A report of a good connection."""
ACCESS = Access(
    commands={
        "/call": {
            "current": SIGNED_IN,
            "join": SIGNED_IN,
            "access": SIGNED_IN,
            "signal": SIGNED_IN,
            "report_quality": SIGNED_IN,
            "quality": SIGNED_IN,
            "leave": SIGNED_IN,
            "end": SIGNED_IN,
        },
    },
    routes={"POST /calls/livekit": ANYBODY},
    theirs={
        ("/call", "join"): ("call_id", {}),
        ("/call", "access"): ("call_id", {}),
        ("/call", "signal"): ("call_id", {"to": "student_id", "data": {}}),
        ("/call", "report_quality"): ("call_id", GOOD),
        ("/call", "quality"): ("call_id", {}),
        ("/call", "leave"): ("call_id", {}),
        ("/call", "end"): ("call_id", {}),
    },
)
