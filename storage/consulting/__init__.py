"""The tables and queries of the consulting domains."""
