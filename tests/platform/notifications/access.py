"""Who may use what `notifications` offers."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/notifications": {
            "list": SIGNED_IN,
            "mark_read": SIGNED_IN,
            "register_device": SIGNED_IN,
            "unregister_device": SIGNED_IN,
        },
    },
    elsewhere={
        ("/notifications", "mark_read"): "the answer is the user's own unread count for any id",
    },
)
