"""The domains of Parley, in the order of a person's journey: the table of contents.

`kit` is the language they are written in; each of the others is one package with the same files.
"""

DOMAINS = (
    "signup",
    "pincodes",
    "profile",
    "auth",
    "identities",
    "account",
    "uploads",
    "consultants",
    "availability",
    "booking",
    "chat",
    "previews",
    "moderation",
    "waiting_room",
    "call",
    "presence",
    "notifications",
    "send",
    "personal_data",
)

READERS = (
    "handlers.uploads.magic",
    "handlers.uploads.pictures",
    "handlers.previews.page",
)
"""The modules whose functions read strangers' bytes. They run in the sandbox, import nothing of
the server, and open no file after their import."""
