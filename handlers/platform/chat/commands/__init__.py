"""The doors of /chat, by noun."""
