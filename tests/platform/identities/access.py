"""Who may use the commands and routes of `identities`."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/auth": {
            "providers": ANYBODY,
            "oauth": ANYBODY,
        },
        "/profile": {
            "sign_in_methods": SIGNED_IN,
            "link": SIGNED_IN,
            "unlink": SIGNED_IN,
        },
    },
    routes={
        "GET /oauth/{}/start": ANYBODY,
        "GET /oauth/{}/callback": ANYBODY,
        "POST /oauth/{}/callback": ANYBODY,
    },
    theirs={
        ("/profile", "unlink"): ("identity_id", {}),
    },
)
