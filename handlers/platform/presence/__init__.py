"""Whether a person is there. Never what they do."""

from handlers.kit.domain import Domain
from handlers.platform.presence.contracts import PresenceWhisper, StatusWhisper

presence = Domain(
    "presence",
    "/presence",
    whispers={
        "USER_ONLINE": PresenceWhisper,
        "USER_OFFLINE": PresenceWhisper,
        "status_changed": StatusWhisper,
    },
)
