"""Decisions about waiting rooms."""
