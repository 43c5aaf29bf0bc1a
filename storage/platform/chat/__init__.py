"""The tables and queries of `handlers/platform/chat`."""
