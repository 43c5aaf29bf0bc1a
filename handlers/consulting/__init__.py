"""The consulting system: consultants, their hours, bookings, waiting rooms and calls."""
