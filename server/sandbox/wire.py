"""The messages between server and sandbox, over two pipes.

The server does not trust a sandbox that has parsed untrusted bytes. It limits the size of answers,
and decodes them as the annotated return type of the job's function.
"""

import struct
from typing import Any, Literal

import msgspec

HEAD = struct.Struct(">IQ")
"""The length of a job, and of the content that follows it."""
LENGTH = struct.Struct(">I")
"""The length of an answer."""
ANSWER_MAX = 28 * 1024**2
"""Bytes: for a picture of the maximum size, its thumbnail, and a reserve."""


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Call `function` of `module` with the content and these arguments."""

    module: str
    function: str
    args: list[Any]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """`done` has a result, and `refused` a reason. `failed` has the name of an exception as reason.
    `memory` means that the limit on memory was exceeded.
    """

    outcome: Literal["done", "refused", "memory", "failed"]
    reason: str = ""
    result: msgspec.Raw = msgspec.Raw(b"\xc0")


class Ready(msgspec.Struct, frozen=True, array_like=True):
    """The first answer, with the confinements that this machine cannot enforce."""

    missing: list[str]
