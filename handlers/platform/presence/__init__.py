"""Users' online status. Not their activity."""

from handlers.kit.domain import Domain
from handlers.platform.presence.contracts import PresenceEphemeral, StatusEphemeral

presence = Domain(
    "presence",
    "/presence",
    ephemeral_events={
        "USER_ONLINE": PresenceEphemeral,
        "USER_OFFLINE": PresenceEphemeral,
        "status_changed": StatusEphemeral,
    },
)
