"""Tests of the language that domains are written in, and a domain that exists for tests only."""
