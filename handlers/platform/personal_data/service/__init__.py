"""Decisions about exports, about accounts that are to be deleted, and about what goes in turn."""
