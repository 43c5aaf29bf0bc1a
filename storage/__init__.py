"""Tables and statements, and the two databases that run them. No domain rules, no sockets."""
