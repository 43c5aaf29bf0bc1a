"""What the server needs of previews: the client to the public web, and what is to be forgotten."""

from handlers.previews.fetch import PublicWeb
from storage.previews import forget_counts, forget_pages

__all__ = ["PublicWeb", "forget_counts", "forget_pages"]
