"""Who hears what: room names, membership, numbers on their way out, replay, whispers, presence."""
