"""The shared platform: accounts, conversations, files, notifications and mail."""
