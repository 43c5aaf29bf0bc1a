"""Decisions about exports, planned deletions of accounts, and erasures."""
