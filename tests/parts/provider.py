"""A fake OpenID provider, which can give false answers.

A real provider is in tests/browser; this one does what real providers do not.
"""

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

CLIENT_ID = "parley at the test's house"
CLIENT_SECRET = "a secret: with/odd+characters%"
_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class FakeProvider:
    """A provider on loopback that signs everyone in as `person`; `lies` changes its claims."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    """False claims for the ID token; None omits a claim."""
    userinfo: dict[str, Any] | None = None
    """The answer of /userinfo; if None, the ID token has all claims."""
    document: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: _KEY)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    status: int = 200
    shown_secrets: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    own_keys: list[Any] | None = None
    token_body: str | None = None
    """The answer of the token endpoint instead of tokens."""

    def answer(self, asked: dict[str, str]) -> dict[str, str]:
        """The parameters with which a browser that sent the query `asked` returns."""
        code = f"code {len(self.codes)} of this house"
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}

    async def discovery(self, request: web.Request) -> web.Response:
        self.asked.append("discovery")
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **({"userinfo_endpoint": f"{self.url}/userinfo"} if self.userinfo else {}),
            **self.document,
        }
        return web.json_response(document)

    async def keys(self, request: web.Request) -> web.Response:
        ours = KeySet([_KEY]).as_dict(private=False)
        return web.json_response(ours if self.own_keys is None else {"keys": self.own_keys})

    async def token(self, request: web.Request) -> web.Response:
        """Exchange a code once, with PKCE; the client must authenticate with its secret."""
        form = dict(await request.post())
        self.shown_secrets.append(request.headers.get("Authorization") or form["client_secret"])
        if self.token_body is not None:
            return web.Response(text=self.token_body, content_type="application/json")
        asked = self.codes.pop(form["code"], None)
        if self.status != 200 or asked is None or not self._is_right(form, asked):
            status = 400 if self.status == 200 else self.status
            elsewhere = {"Location": "/token"}
            return web.json_response({"error": "invalid_grant"}, status=status, headers=elsewhere)
        return web.json_response(
            {"access_token": "for userinfo", "id_token": self._id_token(asked)}
        )

    async def ask_about(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer for userinfo"
        return web.json_response(self.userinfo)

    def _is_right(self, form: dict[str, Any], asked: dict[str, str]) -> bool:
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same_place = form["redirect_uri"] == asked["redirect_uri"]
        return same_place and challenge == asked["code_challenge"]

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        said = {} if self.userinfo else self.person
        claims = {
            "iss": self.url,
            "aud": asked["client_id"],
            "sub": self.person["sub"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            **said,
            **self.lies,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.header["alg"] == "none":
            parts = [base64.urlsafe_b64encode(_json(p)).rstrip(b"=") for p in (self.header, claims)]
            return b".".join([*parts, b""]).decode()
        return jwt.encode(self.header, claims, self.key, algorithms=[self.header["alg"]])


def _json(value: dict[str, Any]) -> bytes:
    return web.json_response(value).body  # type: ignore[return-value]


def person(name: str, **claims: Any) -> dict[str, Any]:
    """The claims of a person at the provider."""
    return {
        "sub": f"the house's {name}",
        "email": f"{name}@example.org",
        "email_verified": True,
        "given_name": name.capitalize(),
        "family_name": "Example",
        **claims,
    }


def honest_key() -> RSAKey:
    return _KEY


def another_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


def shared_secret() -> OctKey:
    """The client secret as a symmetric signing key."""
    return OctKey.import_key(CLIENT_SECRET)


def apple_key() -> ECKey:
    return ECKey.generate_key("P-256")


def query_of(place: str) -> dict[str, str]:
    """The query of a URL, or of its fragment."""
    return dict(parse_qsl(place.partition("?")[2]))


@asynccontextmanager
async def running_provider() -> AsyncIterator[FakeProvider]:
    provider = FakeProvider(person=person("ana"))
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", provider.discovery)
    application.router.add_get("/keys", provider.keys)
    application.router.add_post("/token", provider.token)
    application.router.add_get("/userinfo", provider.ask_about)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    await runner.cleanup()
