"""Backup and restore of a SQLite database and of uploaded files."""
