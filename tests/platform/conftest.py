"""What all tests of platform domains have in common."""

from tests.parts.morning import clock as clock
