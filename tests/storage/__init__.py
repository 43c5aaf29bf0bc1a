"""Tests of the two databases, and of the kernel's tables in them."""
