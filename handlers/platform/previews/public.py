"""What the server needs from previews: the client for pages on the public web."""

from handlers.platform.previews.fetch import PublicWeb

__all__ = ["PublicWeb"]
