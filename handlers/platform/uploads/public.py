"""Functions for other domains: to use an upload, to release it, and to give links to it."""

from handlers.platform.uploads.service import disuse, replace_picture, use
from handlers.platform.uploads.views import links_of, list_links, media_type_of

__all__ = [
    "disuse",
    "links_of",
    "list_links",
    "media_type_of",
    "replace_picture",
    "use",
]
