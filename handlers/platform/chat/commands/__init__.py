"""The commands of /chat, by noun."""
