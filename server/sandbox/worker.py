"""The main program of the sandbox: imports the readers, confines itself, does job after job.

Jobs come on its standard input and answers go to its standard output (`wire.py`). The end of the
input ends it. Readers are imported without the packages of their domains, which would bring in
half of the server.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import msgspec

from handlers.kit.sandbox import Unreadable
from server.sandbox.confinement import (
    be_killed_first,
    close_inherited,
    confine,
)
from server.sandbox.wire import HEAD, LENGTH, Answer, Job, Ready

ROOT = Path(__file__).parent.parent.parent


def main(parent_pid: int, names: list[str]) -> None:
    """Serve the process of this id by the readers of these modules until it is gone."""
    close_inherited()
    readers = {name: import_alone(name) for name in names}
    source, drain = sys.stdin.buffer, sys.stdout.buffer
    be_killed_first()
    say(drain, Ready(confine(parent_pid)))
    while do_next(readers, source, drain):
        pass


def import_alone(name: str) -> ModuleType:
    """The module `handlers.<system>.<domain>.<…>`, without running the `__init__` of its domain."""
    domain = ".".join(name.split(".")[:-1][:3])
    package = sys.modules.setdefault(domain, ModuleType(domain))
    package.__path__ = [str(ROOT.joinpath(*domain.split(".")))]
    return import_module(name)


def do_next(readers: dict[str, ModuleType], source: BinaryIO, drain: BinaryIO) -> bool:
    """Do one job; False at the end of the input."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return False
    job_size, content_size = HEAD.unpack(head)
    job = msgspec.msgpack.decode(source.read(job_size), type=Job)
    content = source.read(content_size)
    if len(content) < content_size:
        return False
    say(drain, perform(readers[job.module], job, content))
    return True


def perform(reader: ModuleType, job: Job, content: bytes) -> Answer:
    """What becomes of a job; nothing that a file makes its reader raise ends the process."""
    try:
        result = getattr(reader, job.function)(content, *job.args)
        return Answer("done", result=msgspec.Raw(msgspec.msgpack.encode(result)))
    except Unreadable as refusal:
        return Answer("refused", str(refusal))
    except MemoryError:
        return Answer("memory")
    except Exception as error:
        return Answer("failed", type(error).__name__)


def say(drain: BinaryIO, what: Any) -> None:
    encoded = msgspec.msgpack.encode(what)
    drain.write(LENGTH.pack(len(encoded)))
    drain.write(encoded)
    drain.flush()
