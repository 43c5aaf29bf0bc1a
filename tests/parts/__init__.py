"""Real services that tests use: each starts on a free port and stops afterwards."""
