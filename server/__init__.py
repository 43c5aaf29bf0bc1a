"""The shell: bytes in, bytes out. It knows sockets and requests, and no domain."""
