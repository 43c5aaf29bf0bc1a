"""The tables and queries of the platform's domains."""
