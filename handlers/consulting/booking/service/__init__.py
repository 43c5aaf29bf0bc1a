"""Decisions about bookings: requests, answers to them, expiry, and what one may see."""
