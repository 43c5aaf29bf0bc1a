"""The two databases, their migrations, and what tables are declared with."""
