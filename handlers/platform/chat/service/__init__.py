"""Decisions about conversations, with a module for each noun: members, messages, marks, cards."""
