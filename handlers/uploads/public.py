"""What neighbours need of uploads: to use one, to let go of it, to let others fetch it."""

from handlers.uploads.service import disuse, drop_all, replace_picture, use
from handlers.uploads.views import links_of
from storage.uploads import count_ready, list_uploads

__all__ = [
    "count_ready",
    "disuse",
    "drop_all",
    "links_of",
    "list_uploads",
    "replace_picture",
    "use",
]
