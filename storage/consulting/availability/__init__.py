"""The tables and queries of `handlers/consulting/availability`."""
