"""What server and sandbox say to each other through two pipes.

The sandbox is not trusted once it has read a stranger's bytes: what it answers is bounded, and
decoded as what the job's function is annotated to return.
"""

import struct
from typing import Any, Literal

import msgspec

HEAD = struct.Struct(">IQ")
"""The length of a job, and of the content that follows it."""
LENGTH = struct.Struct(">I")
"""The length of an answer."""
ANSWER_MAX = 28 * 1024**2
"""Bytes: a picture of the largest size that may be brought, its thumbnail, and some more."""


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Call `function` of `module` with the content and these arguments."""

    module: str
    function: str
    args: list[Any]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """`refused` says why in `reason`; `failed` is an exception of this name; `done` has a result.

    `memory` is what the limit did not allow.
    """

    outcome: Literal["done", "refused", "memory", "failed"]
    reason: str = ""
    result: msgspec.Raw = msgspec.Raw(b"\xc0")


class Ready(msgspec.Struct, frozen=True, array_like=True):
    """The first answer: which confinements this machine does not have."""

    missing: list[str]
