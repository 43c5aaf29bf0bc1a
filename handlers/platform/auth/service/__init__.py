"""Decisions about passwords and sessions."""
