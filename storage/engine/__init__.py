"""The two databases, their migrations, and the building blocks of table declarations."""
