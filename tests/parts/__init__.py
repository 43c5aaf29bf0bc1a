"""Real parts that tests run against: each is started on a free port, and stopped afterwards."""
