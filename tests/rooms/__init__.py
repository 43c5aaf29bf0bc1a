"""Tests of who hears what: streams, ways in and out, replay, ephemeral events."""
