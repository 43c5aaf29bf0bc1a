"""Fixtures for the tests of all consulting domains."""

from tests.parts.morning import clock as clock
