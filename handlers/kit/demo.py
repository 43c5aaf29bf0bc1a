"""The interface for a domain's `demo.py`: fictional people who act through commands.

`server/demo.py` calls `async def tell(story: Story) -> Cast` of each domain that has one, in the
order of `handlers/__init__.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

Cast = Mapping[str, str]
"""Maps a first name to a description: people as whom a new developer can log in."""


class Player(Protocol):
    """A person in the demo."""

    id: str
    first_name: str

    async def does(self, namespace: str, command: str, **payload: Any) -> Any:
        """The data of the answer. Raises RuntimeError for a refusal, which is a bug in the demo."""


class Story(Protocol):
    """The demo while it is being created."""

    async def join(self, first_name: str) -> Player:
        """The person with this first name; the first call signs them up."""

    def pass_by(self, span: timedelta) -> None:
        """Move the demo's clock forward, at most to the present."""
