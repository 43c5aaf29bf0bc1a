"""Requests, views, events and refusals of /chat, with one module for each noun."""
