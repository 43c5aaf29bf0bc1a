"""What the server needs of previews: the client to the public web."""

from handlers.platform.previews.fetch import PublicWeb

__all__ = ["PublicWeb"]
