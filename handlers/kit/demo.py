"""What a domain's `demo.py` is written with: invented people, who act through commands.

`server/demo.py` calls `async def tell(story: Story) -> Cast` of each domain that has one, in the
order of the table of contents.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

Cast = Mapping[str, str]
"""First name → who that is: people as whom a newcomer may log in."""


class Player(Protocol):
    """Somebody of the demo."""

    id: str
    first_name: str

    async def does(self, namespace: str, command: str, **payload: Any) -> Any:
        """The data of the answer; raises RuntimeError for a refusal, a flaw of the story."""


class Story(Protocol):
    """The demo as it is told."""

    async def join(self, first_name: str) -> Player:
        """The person of this name, who signs up when they are named for the first time."""

    def pass_by(self, span: timedelta) -> None:
        """Let time pass, up to the present."""
