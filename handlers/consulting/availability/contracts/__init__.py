"""Requests, views, events and refusals of /availability, with one module for each noun."""
