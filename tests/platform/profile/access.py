"""Who may use the commands of `profile`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/profile": {
            "me": SIGNED_IN,
            "update": SIGNED_IN,
            "people": SIGNED_IN,
        },
    },
    anybodys={
        ("/profile", "people"): "names are public to users who know the id",
    },
)
