"""The kernel's own tables: events, deliveries, timers, stored answers, holds and instances."""
