"""Identifies the user behind a token; the server's only access to the auth domain."""

from handlers.kit.context import Context
from handlers.kit.errors import Refusal, Unavailable
from handlers.kit.kernel import Actor, Kernel
from handlers.platform.auth.contracts import SessionRevoked as SessionRevoked
from handlers.platform.auth.public import get_live_actor, read_access_token
from storage.engine.database import StorageUnavailable


class TokenMissing(Refusal):
    """This namespace requires a token."""


class UnknownNamespace(Refusal):
    """There is no such namespace."""


class Admission:
    """Reads access tokens and looks up their sessions."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def identify(self, token: str, session_id: str | None) -> Actor:
        """The user behind `token`, which must belong to `session_id` if that is given.

        Raises the refusals TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED and UNAVAILABLE.
        """
        claims = read_access_token(self._kernel.keys, token, self._kernel.clock.now())
        try:
            return await Context(self._kernel).read(get_live_actor, claims, session_id)
        except StorageUnavailable as error:
            raise Unavailable(retry_after_s=1) from error
