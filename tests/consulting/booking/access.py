"""Who may use the commands of `booking`."""

from tests.access import SIGNED_IN, Access, only

ACCESS = Access(
    commands={
        "/booking": {
            "request": SIGNED_IN,
            "request_now": SIGNED_IN,
            "approve": only("consultant"),
            "reject": only("consultant"),
            "cancel": SIGNED_IN,
            "reschedule": SIGNED_IN,
            "get": SIGNED_IN,
            "list": SIGNED_IN,
            "history": SIGNED_IN,
            "reopen_call": SIGNED_IN,
        },
        "/chat": {
            "request_booking": SIGNED_IN,
        },
    },
    taken={
        "/booking approve version": "the version that the client last saw",
        "/booking reject version": "the version that the client last saw",
        "/booking cancel version": "the version that the client last saw",
        "/booking reschedule version": "the version that the client last saw",
        "/booking list status": "it filters the list",
    },
    anybodys={
        ("/booking", "request"): "blocks and topics are public",
        ("/booking", "request_now"): "blocks and topics are public",
    },
    theirs={
        ("/booking", "approve"): ("booking_id", {}),
        ("/booking", "reject"): ("booking_id", {"version": 77}),
        ("/booking", "cancel"): ("booking_id", {"version": 77}),
        ("/booking", "reschedule"): ("booking_id", {"block_id": "own_block_id"}),
        ("/booking", "get"): ("booking_id", {}),
        ("/booking", "history"): ("booking_id", {}),
        ("/booking", "reopen_call"): ("booking_id", {}),
        ("/chat", "request_booking"): (
            "conversation_id",
            {"block_id": "block_id", "topic_id": "topic_id"},
        ),
    },
)
