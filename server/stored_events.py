"""Reads stored events in the form that their consumers get."""

import msgspec

from handlers.kit.contract import Event, event_stored_as
from handlers.kit.kernel import Kernel, Origin
from storage.events.log import StoredEvent


def decode_event(kernel: Kernel, stored: StoredEvent) -> Event:
    """A stored event, with its sealed and private fields."""
    data = kernel.keys.open(stored.data) if stored.sealed else stored.data
    if stored.private is None:
        return msgspec.json.decode(data, type=event_stored_as(stored.name))
    fields = msgspec.json.decode(data) | stored.private
    return msgspec.convert(fields, event_stored_as(stored.name))


def origin_of(stored: StoredEvent) -> Origin:
    """The origin of what a consumer does: the correlation id of the event's command."""
    return Origin(correlation_id=stored.correlation_id or "")
