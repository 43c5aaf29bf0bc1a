"""Who hears what: room names, membership, numbering, replay and ephemeral events."""
