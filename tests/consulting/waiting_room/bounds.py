"""The bounds of `waiting_room`'s queries; see `tests/bounds.py`."""

A_BLOCK = "a block has at most 60 calls, and each place or waiting person is one of it"
BOUNDED = {
    "list_open_rooms": "the hours of one consultant whose rooms are open, at most two or three",
    "list_places": A_BLOCK,
    "list_places_of": "a student is in a waiting room once for each booking of a day",
}
