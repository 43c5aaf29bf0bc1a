"""Who may use the commands of `account`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/profile": {
            "remove_password": SIGNED_IN,
            "set_password": SIGNED_IN,
            "change_email": SIGNED_IN,
            "confirm_email": SIGNED_IN,
            "set_picture": SIGNED_IN,
            "send_proof": SIGNED_IN,
            "prove": SIGNED_IN,
        },
    },
    theirs={
        ("/profile", "set_picture"): ("upload_id", {}),
    },
)
