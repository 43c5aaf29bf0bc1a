"""What neighbours need of bookings inside their own transaction."""

from handlers.booking.service.lists import get_booking
from handlers.booking.service.requests import request_booking

__all__ = ["get_booking", "request_booking"]
