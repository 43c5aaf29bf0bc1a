"""The page in real browsers, and the wire by the official client."""
