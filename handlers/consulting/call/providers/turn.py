"""TURN credentials that expire, by coturn's scheme for a shared secret (`use-auth-secret`).

The user name is `<expiry>:<user id>`; the password is a keyed hash of it. The TURN server shares
the key, so it can check both without asking this server.
"""

import base64
import hashlib
import hmac
from datetime import datetime

from handlers.consulting.call.contracts import IceServer
from handlers.consulting.call.rules import CallRules


def servers_of(rules: CallRules, user_id: str, expires_at: datetime) -> list[IceServer]:
    """The TURN servers with the credentials of one user; none if none are configured."""
    if not rules.turn_urls:
        return []
    username = f"{int(expires_at.timestamp())}:{user_id}"
    credential = credential_of(rules.turn_secret.strip(), username)
    return [IceServer(urls=list(rules.turn_urls), username=username, credential=credential)]


def credential_of(secret: str, username: str) -> str:
    """The password for this user name: HMAC-SHA1, which TURN servers expect."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
