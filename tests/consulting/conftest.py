"""What all tests of consulting domains have in common."""

from tests.parts.morning import clock as clock
