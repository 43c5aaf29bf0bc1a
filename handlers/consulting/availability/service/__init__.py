"""Decisions about availability: weeks, blocks, places, waiting lists, "available now"."""
