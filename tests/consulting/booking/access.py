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
        "/booking approve version": "the one that the client has seen",
        "/booking reject version": "the one that the client has seen",
        "/booking cancel version": "the one that the client has seen",
        "/booking reschedule version": "the one that the client has seen",
        "/booking list status": "a filter",
    },
    anybodys={
        ("/booking", "request"): "what is offered to everybody",
        ("/booking", "request_now"): "what is offered to everybody",
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
