"""Event delivery to clients: rooms, membership, sequence numbers, replay and ephemeral events."""
