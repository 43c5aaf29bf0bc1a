"""The kernel's own tables: events, deliveries, timers, kept answers, holds and instances."""
