"""Tables, statements and the two databases that run them; knows no domain rule and no socket."""
