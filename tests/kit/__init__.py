"""Tests of the framework for domains, and a domain that exists only for tests."""
