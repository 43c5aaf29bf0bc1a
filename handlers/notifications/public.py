"""What housekeeping needs of notifications."""

from storage.notifications import forget_notifications

__all__ = ["forget_notifications"]
