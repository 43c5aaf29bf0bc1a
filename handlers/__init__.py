"""The systems of Parley with their domains, in the order of a person's journey: the table
of contents.

`kit` is the language they are written in; each of the others is one package with the same files.
"""

SYSTEMS = {
    "platform": (
        "signup",
        "pincodes",
        "profile",
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
    ),
}

READERS = (
    "handlers.platform.uploads.magic",
    "handlers.platform.uploads.pictures",
    "handlers.platform.previews.page",
)
"""The modules whose functions read strangers' bytes. They run in the sandbox, import nothing of
the server, and open no file after their import."""
