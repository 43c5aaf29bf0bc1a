"""Backup and restore of the embedded database and of the files that people uploaded."""
