"""JSON Web Tokens (HS256) that are shared with a video provider."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from handlers.consulting.call.rules import CallRules

ALGORITHM = "HS256"
SKEW = timedelta(seconds=30)
"""How far the clocks of the two servers may differ."""


class TokenRefused(Exception):
    """A token that the provider did not sign, or that is not valid now."""


def sign(rules: CallRules, claims: Mapping[str, Any], now: datetime, life: timedelta) -> str:
    """A token with these claims, valid from now for `life`."""
    times = {"nbf": int((now - SKEW).timestamp()), "exp": int((now + life).timestamp())}
    header = {"alg": ALGORITHM, "typ": "JWT"}
    return jwt.encode(header, {**claims, **times}, _key(rules))


def read(rules: CallRules, token: str, now: datetime) -> dict[str, Any]:
    """The claims of a token with this server's key; raises TokenRefused."""
    try:
        claims = jwt.decode(token, _key(rules), algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError):
        raise TokenRefused("it is not signed with the secret") from None
    if claims.get("iss") != rules.video_key:
        raise TokenRefused("it has another key")
    if not _is_valid_at(claims, now):
        raise TokenRefused("it is not valid now")
    return claims


def _is_valid_at(claims: Mapping[str, Any], now: datetime) -> bool:
    """Whether `now` is between `nbf`, if given, and `exp`, which is required."""
    begins, ends = claims.get("nbf", 0), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        return False
    skew_s, moment = SKEW.total_seconds(), now.timestamp()
    return bool(begins - skew_s <= moment <= ends + skew_s)


def _key(rules: CallRules) -> OctKey:
    return OctKey.import_key(rules.video_secret.strip())
