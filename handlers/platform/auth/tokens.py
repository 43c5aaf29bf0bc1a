"""Access tokens (JWT, HS256) and refresh tokens (random, stored as hashes)."""

import hashlib
import secrets
from datetime import datetime, timedelta

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from handlers.kit.keys import Keys
from handlers.platform.auth.contracts import TokenExpired, TokenInvalid

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "parley"
AUDIENCE = "parley-sockets"


class Claims(msgspec.Struct, frozen=True):
    """The claims of an access token; `exp` and `iat` are in seconds since the epoch."""

    iss: str
    aud: str
    sub: str
    sid: str
    exp: int
    iat: int


def make_access_token(
    keys: Keys, user_id: str, session_id: str, now: datetime, life: timedelta
) -> str:
    claims = Claims(
        ISSUER,
        AUDIENCE,
        user_id,
        session_id,
        int((now + life).timestamp()),
        int(now.timestamp()),
    )
    header = {"alg": ALGORITHM, "typ": TYPE}
    return jwt.encode(header, msgspec.to_builtins(claims), OctKey.import_key(keys.tokens))


def read_access_token(keys: Keys, token: str, now: datetime) -> Claims:
    """The claims of a token that this server issued; raises TokenInvalid or TokenExpired.

    Only one algorithm is allowed. joserfc does not check the type, issuer and audience, so this
    function does.
    """
    try:
        read = jwt.decode(token, OctKey.import_key(keys.tokens), algorithms=[ALGORITHM])
        claims = msgspec.convert(read.claims, Claims)
    except (JoseError, ValueError, TypeError, msgspec.ValidationError):
        raise TokenInvalid from None
    issued_here = (read.header.get("typ"), claims.iss, claims.aud) == (TYPE, ISSUER, AUDIENCE)
    if not issued_here:
        raise TokenInvalid
    if claims.exp <= now.timestamp():
        raise TokenExpired
    return claims


def make_refresh_token() -> str:
    return secrets.token_urlsafe(32)


def hash_of(refresh_token: str) -> str:
    """A plain SHA-256 is enough: refresh tokens have 256 random bits and cannot be guessed."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()
