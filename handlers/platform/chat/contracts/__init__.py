"""What is said about conversations and messages, by noun."""
