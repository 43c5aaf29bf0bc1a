"""Consultations: consultants, their hours, bookings, waiting rooms and calls."""
