"""Decisions about availability, by noun: weeks, places, waiting lists, and now."""
