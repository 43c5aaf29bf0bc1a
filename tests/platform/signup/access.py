"""Who may use the commands of `signup`."""

from tests.access import ANYBODY, Access

ACCESS = Access(
    commands={
        "/signup": {
            "start": ANYBODY,
            "complete": ANYBODY,
        },
    },
)
