"""Tests of the two databases, and of what the kernel keeps in them."""
