"""Calls: their participants, what a video provider reported, and the quality of the connections."""
