"""Access tokens (JWT, HS256) and refresh tokens (random, kept as hashes)."""

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
    """What an access token says."""

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
    """The claims of a token that we made; raises TokenInvalid or TokenExpired.

    One algorithm; type, issuer and audience are checked here, as joserfc leaves them to us.
    """
    try:
        read = jwt.decode(token, OctKey.import_key(keys.tokens), algorithms=[ALGORITHM])
        claims = msgspec.convert(read.claims, Claims)
    except (JoseError, ValueError, TypeError, msgspec.ValidationError):
        raise TokenInvalid from None
    ours = (read.header.get("typ"), claims.iss, claims.aud) == (TYPE, ISSUER, AUDIENCE)
    if not ours:
        raise TokenInvalid
    if claims.exp <= now.timestamp():
        raise TokenExpired
    return claims


def make_refresh_token() -> str:
    return secrets.token_urlsafe(32)


def hash_of(refresh_token: str) -> str:
    """Refresh tokens have 256 random bits: a plain hash cannot be guessed."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()
