"""Reads the headers of pictures in plain code, before any decoder gets the file."""
