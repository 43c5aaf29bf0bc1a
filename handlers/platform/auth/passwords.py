"""Password hashing with Argon2id.

Invariants:
- Hashing runs in two threads of its own, never on the event loop.
- At most `WAITING_MAX` calls run or wait at a time; further ones raise Unavailable.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from handlers.kit.errors import Unavailable

T = TypeVar("T")

COST: dict[str, Any] = {"time_cost": 2, "memory_cost": 19 * 1024, "parallelism": 1}
"""OWASP's second profile: two passes, 19 MiB (given in KiB), one lane; takes about 30 ms."""
_HASHER = PasswordHasher(**COST)
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
WAITING_MAX = 200
_waiting = 0
# Sign-ins to unknown accounts are checked against this hash, to take as long as to known ones.
_NOBODY = _HASHER.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The hash of the password in Unicode's composed form, so that it matches from any keyboard."""
    return await _in_thread(_HASHER.hash, composed(password))


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password matches. A hash of None takes as long to check and never matches.

    A wrong password with accents takes two or three times as long, with and without an account.
    """
    right = await _in_thread(_verify_any, password_hash or _NOBODY, *_forms_of(password))
    return right and password_hash is not None


async def renewed_hash(password_hash: str | None, password: str) -> str | None:
    """A new hash of a right password if the stored one was made from another form; or None."""
    if password_hash is None or len(_forms_of(password)) == 1:
        return None
    if await _in_thread(_verify_any, password_hash, composed(password)):
        return None
    return await hash_password(password)


def composed(password: str) -> str:
    """The password in Unicode's composed form (NFC), in which it is measured and hashed."""
    return unicodedata.normalize("NFC", password)


def _forms_of(password: str) -> tuple[str, ...]:
    """The composed form first, then the others that earlier versions may have hashed."""
    decomposed = unicodedata.normalize("NFD", password)
    return tuple(dict.fromkeys((composed(password), password, decomposed)))


def _verify_any(password_hash: str, *forms: str) -> bool:
    return any(_verify(password_hash, form) for form in forms)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def _in_thread(work: Callable[..., T], *args: str) -> T:
    global _waiting
    if _waiting >= WAITING_MAX:
        raise Unavailable(retry_after_s=1)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, work, *args)
    finally:
        _waiting -= 1
