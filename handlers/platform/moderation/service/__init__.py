"""Decisions about flags, cases, roles and the audit, by noun."""
