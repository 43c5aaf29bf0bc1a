"""What housekeeping needs of pincodes."""

from storage.signup import forget_pincodes

__all__ = ["forget_pincodes"]
