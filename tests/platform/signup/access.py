"""Who may use what `signup` offers."""

from tests.access import ANYBODY, Access

ACCESS = Access(
    commands={
        "/signup": {
            "start": ANYBODY,
            "complete": ANYBODY,
        },
    },
)
