"""The file of a backup: an uncompressed tar, written and read in chunks.

    manifest.json   describes the content; always first
    secret          the server's secret, if it is stored in the data folder
    parley.db       the SQLite database
    files/KEY       every uploaded file, by its key
    SHA256SUMS      the SHA-256 of each member before it, as `sha256sum` writes them; always last

`SHA256SUMS` comes last, so a truncated archive has none and is refused.
"""

import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from storage.objects.copying import KEY

FORMAT = 1
CHUNK = 1_048_576
MANIFEST = "manifest.json"
MANIFEST_SIZE_MAX = 65_536
SECRET = "secret"  # noqa: S105 - the name of a member
DATABASE = "parley.db"
FILES = "files/"
SUMS = "SHA256SUMS"
NAME = re.compile(rf"{MANIFEST}|{SECRET}|{DATABASE}|{SUMS}|{FILES}{KEY.pattern}")


class BackupError(Exception):
    """A backup or restore is not possible. The text is one line; nothing was changed."""


class BrokenArchive(BackupError):
    """The archive is truncated, was changed, or is not a backup."""


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """Describes the content of an archive.

    `revision` is the schema revision of its database, empty without one. `secret` is a fingerprint
    of the secret that the database needs. `files` is whether the archive has uploaded files.
    """

    format: int
    made_at: datetime
    revision: str
    secret: str
    files: bool


class Summed:
    """A stream that computes its SHA-256 while being read; reading may raise BrokenArchive."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        try:
            piece = self._file.read(size)
        except tarfile.TarError as error:
            raise BrokenArchive(f"the archive is damaged: {error}") from None
        self._digest.update(piece)
        return piece

    def drain(self) -> None:
        while self.read(CHUNK):
            pass

    def line(self, name: str) -> bytes:
        """The checksum of the data read so far, as a line of `sha256sum`."""
        return f"{self._digest.hexdigest()}  {name}\n".encode()


class Writer:
    """Writes an archive to `file`; collects the checksums in a temporary file in `scratch`."""

    def __init__(self, file: BinaryIO, scratch: Path, manifest: Manifest) -> None:
        self.files = 0
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self._sums = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - see close
        content = msgspec.json.encode(manifest)
        self.add(MANIFEST, io.BytesIO(content), len(content))

    def add(self, name: str, file: BinaryIO, size: int) -> None:
        """Add a member; raises OSError if `file` has fewer than `size` bytes."""
        content = Summed(file, size)
        self._add(name, content)
        self._sums.write(content.line(name))
        self.files += name.startswith(FILES)

    def finish(self) -> None:
        size = self._sums.tell()
        self._sums.seek(0)
        self._add(SUMS, Summed(self._sums, size))
        self._tar.close()

    def close(self) -> None:
        self._sums.close()

    def _add(self, name: str, content: Summed) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = content.size, 0o600
        self._tar.addfile(info, content)
        _forget_members(self._tar)


def read_archive(file: BinaryIO) -> Iterator[tuple[str, Summed]]:
    """The members in order, the manifest first; skips the unread rest of each.

    Raises BrokenArchive, at the latest after the last member: trust no member before that.
    """
    try:
        yield from _read_members(file)
    except tarfile.TarError as error:
        raise BrokenArchive(f"the archive is damaged: {error}") from None


def read_manifest(name: str, content: Summed) -> Manifest:
    """Parse the manifest, which is the first member; raises BrokenArchive."""
    if name != MANIFEST or content.size > MANIFEST_SIZE_MAX:
        raise BrokenArchive("this file is not a backup")
    try:
        manifest = msgspec.json.decode(content.read(), type=Manifest)
    except msgspec.MsgspecError:
        raise BrokenArchive("the archive's manifest cannot be read") from None
    if manifest.format != FORMAT:
        raise BackupError(f"the archive has format {manifest.format}; this version reads {FORMAT}")
    return manifest


def _read_members(file: BinaryIO) -> Iterator[tuple[str, Summed]]:
    sums = hashlib.sha256()
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while (info := tar.next()) is not None:
            _forget_members(tar)
            content = _open_member(tar, info)
            if info.name == SUMS:
                _check_sums(content, sums.hexdigest())
                return
            yield info.name, content
            content.drain()
            sums.update(content.line(info.name))
    raise BrokenArchive("the archive is incomplete: it has no checksums")


def _forget_members(tar: tarfile.TarFile) -> None:
    """Stop `tar` from keeping every member in memory."""
    tar.members.clear()  # type: ignore[attr-defined]  # its stub leaves it out


def _open_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Summed:
    content = tar.extractfile(info) if info.isreg() and not info.issparse() else None
    if content is None or not NAME.fullmatch(info.name):
        raise BrokenArchive(f"the archive has an unexpected member: {info.name!r}")
    return Summed(content, info.size)  # type: ignore[arg-type] # it only needs read


def _check_sums(content: Summed, expected: str) -> None:
    content.drain()
    if not content.line("").startswith(expected.encode()):
        raise BrokenArchive("the archive was modified: its checksums do not match")
