"""The commands of /chat, with one module for each noun."""
