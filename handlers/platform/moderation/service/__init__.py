"""Decisions about flags, cases, roles and the audit log, with one module for each."""
