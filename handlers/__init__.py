"""The systems of Parley and their domains, in the order in which a user meets them.

`kit` holds the building blocks of domains. Each other package is one system.
"""

SYSTEMS = {
    "platform": (
        "signup",
        "pincodes",
        "profile",
        "blocking",
        "auth",
        "identities",
        "account",
        "uploads",
        "chat",
        "previews",
        "moderation",
        "presence",
        "notifications",
        "send",
        "personal_data",
    ),
    "consulting": (
        "consultants",
        "availability",
        "booking",
        "waiting_room",
        "call",
        "calendar",
    ),
}

READERS = (
    "handlers.platform.uploads.magic",
    "handlers.platform.uploads.pictures",
    "handlers.platform.previews.page",
)
"""The modules whose functions parse untrusted bytes. They run in the sandbox, import no other
module of the server, and open no file after they are imported."""
