"""What neighbours need of uploads: to use one, to let go of it, to let others fetch it."""

from handlers.platform.uploads.service import disuse, replace_picture, use
from handlers.platform.uploads.views import links_of

__all__ = [
    "disuse",
    "links_of",
    "replace_picture",
    "use",
]
