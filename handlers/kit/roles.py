"""Roles. Each is declared by the domain that defines what it allows."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

RoleName = Annotated[str, Meta(extra_json_schema={"format": "role"})]
"""A role's name in a view; generated types list the names that the domains declare."""


@dataclass(frozen=True)
class Role:
    """A role that users can have.

    The operator grants and revokes a role of the `operator` on the command line. A role of the
    `domain` is granted when the user does something there, such as signing up.
    """

    name: str
    granted_by: Literal["operator", "domain"]
