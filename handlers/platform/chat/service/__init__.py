"""Decisions about conversations, by noun: members, messages, marks, history, cards."""
