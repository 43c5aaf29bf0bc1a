"""The server: sockets, HTTP and background work. It does not know the meaning of any command."""
