"""Tests of event delivery to clients: streams, joining and leaving, replay, ephemeral events."""
