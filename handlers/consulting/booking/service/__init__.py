"""Decisions about bookings: requests, answers, expiry and lists."""
