"""The bounds of `waiting_room`'s queries; see `tests/bounds.py`."""

A_BLOCK = "a block has at most 60 calls, each with one place or one waiting user"
BOUNDED = {
    "list_open_rooms": "the hours of one consultant whose rooms are open, at most two or three",
    "list_places": A_BLOCK,
    "list_places_of": "one place for each booking of a student on one day",
}
