"""Who may use the commands of `personal_data`."""

from tests.access import SIGNED_IN, Access

ACCESS = Access(
    commands={
        "/account": {
            "export": SIGNED_IN,
            "get": SIGNED_IN,
            "delete": SIGNED_IN,
            "restore": SIGNED_IN,
        },
    },
)
