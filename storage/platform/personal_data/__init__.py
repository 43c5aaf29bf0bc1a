"""The tables and queries of `handlers/platform/personal_data`."""
