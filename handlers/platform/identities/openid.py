"""The client's side of OpenID Connect's code flow (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

What a provider answers is believed only when its signature, issuer, audience, nonce and times are
right. Its documents and keys are kept for an hour.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge as s256
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from handlers.kit.visible import one_line
from handlers.platform.identities.outside import HouseAway, HouseRefused, Outside
from handlers.platform.identities.providers import ProviderConfig, is_safe
from handlers.platform.profile.contracts import Email

KEPT_S = 3_600.0
"""How long documents and keys are kept."""
KEYS_AGAIN_S = 60.0
"""A key that nobody knows lets the keys be asked for again, at most so often."""
LEEWAY_S = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Public keys only: a shared secret or `none` proves nothing."""
APPLE_SECRET_S = 300
UNREADABLE = (JoseError, ValueError, RecursionError)
ODD = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that no database keeps."""


class Discovered(msgspec.Struct, frozen=True):
    """What a provider's discovery document says, as far as we ask."""

    issuer: str
    authorization_endpoint: str
    jwks_uri: str
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


class Identity(msgspec.Struct, frozen=True):
    """Who somebody is at a provider; `email` only when the provider says that it is theirs."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    first_name: str
    last_name: str


class Errand(msgspec.Struct, frozen=True):
    """One way to a provider and back: what was said on the way out is held against the answer."""

    state: str
    nonce: str
    verifier: str
    fresh: bool
    began_at: datetime
    redirect_uri: str


class Provider:
    """One provider."""

    def __init__(self, config: ProviderConfig, http: Outside) -> None:
        self.config = config
        self._http = http
        self._discovered: tuple[float, Discovered] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = asyncio.Lock()
        """Of many who come at once one asks for the documents."""
        self._away_at = float("-inf")

    async def address_for(self, errand: Errand) -> str:
        """Where the person's browser has to go; raises HouseAway."""
        about = await self._about()
        more: dict[str, str] = {"prompt": "login", "max_age": "0"} if errand.fresh else {}
        if self.config.response_mode:
            more["response_mode"] = self.config.response_mode
        place: str = prepare_grant_uri(
            about.authorization_endpoint,
            self.config.client_id,
            "code",
            redirect_uri=errand.redirect_uri,
            scope=self.config.scope,
            state=errand.state,
            nonce=errand.nonce,
            code_challenge=s256(errand.verifier),
            code_challenge_method="S256",
            **more,
        )
        return place

    async def identify(self, errand: Errand, code: str, said_issuer: str | None) -> Identity:
        """Who came back with `code`; raises HouseAway or HouseRefused."""
        about = await self._about()
        required = about.authorization_response_iss_parameter_supported
        if (said_issuer is not None or required) and said_issuer != about.issuer:
            raise HouseRefused("another issuer answers")
        tokens = await self._exchange(about, errand, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise HouseRefused("no ID token")
        claims = await self._read(about, errand, id_token, access_token)
        more = claims
        if "email" not in claims and about.userinfo_endpoint and isinstance(access_token, str):
            more = await self._ask_about(about, claims["sub"], access_token)
        return identity_of(about.issuer, claims, more)

    async def _about(self) -> Discovered:
        came = time.monotonic()
        async with self._asking:
            if self._discovered is None or time.monotonic() - self._discovered[0] > KEPT_S:
                url = self.config.issuer.rstrip("/") + "/.well-known/openid-configuration"
                self._discovered = (time.monotonic(), self._check(await self._fetch(url, came)))
            return self._discovered[1]

    async def _fetch(self, url: str, came: float) -> dict[str, Any]:
        """A document; who stood in line while it did not come is not made to wait as long anew."""
        if self._away_at > came:
            raise HouseAway("it did not answer just now")
        try:
            return await self._http.get(url)
        except HouseAway:
            self._away_at = time.monotonic()
            raise

    def _check(self, document: dict[str, Any]) -> Discovered:
        try:
            about = msgspec.convert(document, Discovered)
        except msgspec.ValidationError as error:
            raise HouseAway(f"its discovery document is none: {error}") from None
        if about.token_endpoint is None:
            about = msgspec.structs.replace(about, token_endpoint=self.config.token_endpoint)
        places = (about.authorization_endpoint, about.token_endpoint, about.jwks_uri)
        if about.issuer != self.config.issuer or not all(map(self._is_safe, places)):
            raise HouseAway("its discovery document is another's, or without TLS")
        return about

    def _is_safe(self, url: str | None) -> bool:
        """Only a provider on this machine may name what is on it."""
        return is_safe(url, of_loopback=self.config.issuer.startswith("http:"))

    async def _exchange(self, about: Discovered, errand: Errand, code: str) -> dict[str, Any]:
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=errand.redirect_uri,
            code_verifier=errand.verifier,
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        place, headers, body = self._client_auth().prepare(
            "POST", about.token_endpoint, headers, body
        )
        return await self._http.post(place, headers, body)

    def _client_auth(self) -> ClientAuth:
        config = self.config
        secret = self._apple_secret() if config.apple_key else config.client_secret
        method = config.client_auth or ("client_secret_basic" if secret else "none")
        if method == "client_secret_basic":  # RFC 6749, 2.3.1: both are form-encoded first
            return ClientAuth(quote(config.client_id, safe=""), quote(secret, safe=""), method)
        return ClientAuth(config.client_id, secret, method)

    def _apple_secret(self) -> str:
        """Apple takes a JWT by the team's key for a secret."""
        assert self.config.apple_key is not None
        team_id, key_id, private_key = self.config.apple_key
        now = int(time.time())
        claims = {
            "iss": team_id,
            "sub": self.config.client_id,
            "aud": self.config.issuer,
            "iat": now,
            "exp": now + APPLE_SECRET_S,
        }
        header = {"alg": "ES256", "kid": key_id}
        return jwt.encode(header, claims, ECKey.import_key(private_key))

    async def _read(
        self, about: Discovered, errand: Errand, id_token: str, access_token: Any
    ) -> dict[str, Any]:
        """The claims of an ID token that is right in every respect."""
        config = self.config
        try:
            read = await self._verify(about, id_token)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "value": about.issuer},
                    "aud": {"essential": True, "value": config.client_id},
                },
                params={
                    "nonce": errand.nonce,
                    "client_id": config.client_id,
                    "access_token": access_token,
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_S)
        except (*UNREADABLE, TypeError, KeyError, AttributeError) as error:
            raise HouseRefused(f"its ID token is wrong: {type(error).__name__}") from None
        if errand.fresh and not signed_in_since(claims, errand.began_at):
            raise HouseRefused("nobody signed in anew")
        return dict(claims)

    async def _verify(self, about: Discovered, id_token: str) -> jwt.Token:
        keys = await self._get_keys(about, older_s=KEPT_S)
        try:
            return jwt.decode(id_token, keys, algorithms=ALGORITHMS)
        except UNREADABLE:  # it may have been signed by a key that is new
            fresh = await self._get_keys(about, older_s=KEYS_AGAIN_S)
            if fresh is keys:
                raise
            return jwt.decode(id_token, fresh, algorithms=ALGORITHMS)

    async def _get_keys(self, about: Discovered, older_s: float) -> KeySet:
        came = time.monotonic()
        async with self._asking:
            if self._keys is None or time.monotonic() - self._keys[0] > older_s:
                keys = keys_of(await self._fetch(about.jwks_uri, came))
                self._keys = (time.monotonic(), keys)
            return self._keys[1]

    async def _ask_about(self, about: Discovered, subject: str, token: str) -> dict[str, Any]:
        assert about.userinfo_endpoint is not None
        if not self._is_safe(about.userinfo_endpoint):
            raise HouseRefused("its userinfo is without TLS")
        said = await self._http.get(about.userinfo_endpoint, {"Authorization": f"Bearer {token}"})
        if said.get("sub") != subject:
            raise HouseRefused("its userinfo is somebody else's")
        return said


class Providers:
    """All providers of this server, by name."""

    def __init__(self, providers: tuple[ProviderConfig, ...]) -> None:
        self._outside = Outside()
        self._by_name = {config.name: Provider(config, self._outside) for config in providers}

    def find(self, name: str) -> Provider | None:
        return self._by_name.get(name)

    def list(self) -> list[ProviderConfig]:
        return [provider.config for provider in self._by_name.values()]

    async def stop(self) -> None:
        await self._outside.stop()


def keys_of(document: dict[str, Any]) -> KeySet:
    """The keys that we understand; one that we do not is no reason to know none."""
    said = document.get("keys")
    keys = []
    for one in said if isinstance(said, list) else []:
        try:
            keys += KeySet.import_key_set({"keys": [one]}).keys
        except (*UNREADABLE, KeyError, TypeError, AttributeError):
            continue
    if not keys:
        raise HouseAway("it has no keys that we understand")
    return KeySet(keys)


def signed_in_since(claims: dict[str, Any], moment: datetime) -> bool:
    """A house that does not say when somebody signed in is taken at its word."""
    at = claims.get("auth_time")
    return at is None or (isinstance(at, int | float) and at >= moment.timestamp() - LEEWAY_S)


def identity_of(issuer: str, claims: dict[str, Any], more: dict[str, Any]) -> Identity:
    """Who the ID token's subject is; address and name are of `more`, each from one source.

    What is not as it should be is left out; raises HouseRefused without a subject.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or ODD.search(subject):
        raise HouseRefused("its subject is none")
    email = address_in(more)
    first, _, last = text_in(more, "name", 200).partition(" ")
    return Identity(
        issuer=issuer,
        subject=subject,
        email=email,
        # Apple's is a string
        email_verified=email is not None and more.get("email_verified") in (True, "true"),
        first_name=text_in(more, "given_name", 100) or first[:100],
        last_name=text_in(more, "family_name", 100) or last[:100],
    )


def address_in(claims: dict[str, Any]) -> str | None:
    """The address, if it is one as everybody else's has to be."""
    try:
        return msgspec.convert(claims.get("email"), Email)
    except msgspec.ValidationError:
        return None


def text_in(claims: Mapping[str, Any], name: str, length_max: int) -> str:
    """A claim as one line of visible text; empty when it is none.

    A provider's user cannot mend it here, so what nobody would see is left out, not refused.
    """
    value = claims.get(name)
    return one_line(one_line(value)[:length_max]) if isinstance(value, str) else ""
