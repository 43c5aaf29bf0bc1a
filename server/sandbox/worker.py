"""The main program of the sandbox: imports the readers, confines itself, then runs jobs.

It reads jobs from standard input and writes answers to standard output (`wire.py`), until the input
ends. It imports readers without the packages of their domains, which would import half of the
server.
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


def main(parent_pid: int, threads: bool, names: list[str]) -> None:
    """Run jobs for the process `parent_pid`, with the reader modules `names`, until it is gone."""
    close_inherited()
    readers = {name: import_alone(name) for name in names}
    source, drain = sys.stdin.buffer, sys.stdout.buffer
    be_killed_first()
    send(drain, Ready(confine(parent_pid, threads)))
    while do_next(readers, source, drain):
        pass


def import_alone(name: str) -> ModuleType:
    """Import `handlers.<system>.<domain>.<…>` without running the `__init__` of its domain."""
    domain = ".".join(name.split(".")[:-1][:3])
    package = sys.modules.setdefault(domain, ModuleType(domain))
    package.__path__ = [str(ROOT.joinpath(*domain.split(".")))]
    return import_module(name)


def do_next(readers: dict[str, ModuleType], source: BinaryIO, drain: BinaryIO) -> bool:
    """Run one job; returns False at the end of the input."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return False
    job_size, content_size = HEAD.unpack(head)
    job = msgspec.msgpack.decode(source.read(job_size), type=Job)
    content = source.read(content_size)
    if len(content) < content_size:
        return False
    send(drain, perform(readers[job.module], job, content))
    return True


def perform(reader: ModuleType, job: Job, content: bytes) -> Answer:
    """Run a job; an exception of the reader becomes an answer and does not end the process."""
    try:
        result = getattr(reader, job.function)(content, *job.args)
        return Answer("done", result=msgspec.Raw(msgspec.msgpack.encode(result)))
    except Unreadable as refusal:
        return Answer("refused", str(refusal))
    except MemoryError:
        return Answer("memory")
    except Exception as error:
        return Answer("failed", type(error).__name__)


def send(drain: BinaryIO, message: Any) -> None:
    encoded = msgspec.msgpack.encode(message)
    drain.write(LENGTH.pack(len(encoded)))
    drain.write(encoded)
    drain.flush()
