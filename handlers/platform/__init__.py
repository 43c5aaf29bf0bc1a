"""What every system stands on: accounts, conversations, files, notices and mail."""
