"""Roles: each is declared by the domain that gives it its meaning."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

RoleName = Annotated[str, Meta(extra_json_schema={"format": "role"})]
"""A role's name in a view; generated types list the names that the domains declare."""


@dataclass(frozen=True)
class Role:
    """What a person may be.

    The operator grants and revokes a role from the command line. A role that its `domain` gives
    comes with something that the person does there, such as signing up.
    """

    name: str
    granted_by: Literal["operator", "domain"]
