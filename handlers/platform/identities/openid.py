"""The client side of the authorization code flow (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

Invariants:
- An ID token is accepted only if its signature, issuer, audience, nonce and times are valid.
- A provider's metadata and keys are cached for an hour. At most one request at a time fetches them
  from a provider; concurrent sign-ins wait for it, and fail with it.
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

from handlers.kit.addresses import canonical_address
from handlers.kit.rules import Rules
from handlers.kit.visible import one_line
from handlers.platform.identities.http_client import (
    HttpClient,
    ProviderRefused,
    ProviderUnavailable,
)
from handlers.platform.identities.providers import ProviderConfig, is_safe, provider_configs
from handlers.platform.identities.rules import IdentityRules
from handlers.platform.profile.contracts import Email

CACHED_S = 3_600.0
"""How long metadata and keys are cached."""
KEYS_REFETCHED_AFTER_S = 60.0
"""The minimum age of cached keys at which an unknown key causes a new fetch."""
LEEWAY_S = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Only algorithms with public keys: a shared secret or `none` proves nothing."""
APPLE_SECRET_S = 300
JOSE_ERRORS = (JoseError, ValueError, RecursionError)
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that the databases cannot store: NUL and surrogates."""


class ProviderMetadata(msgspec.Struct, frozen=True):
    """The used fields of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    jwks_uri: str
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


class Identity(msgspec.Struct, frozen=True):
    """A user's identity at a provider; `email_verified`: the provider has confirmed `email`."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    first_name: str
    last_name: str


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """What was sent to a provider, to be compared with its response.

    `fresh` requires the provider to authenticate the user again after `began_at`.
    """

    state: str
    nonce: str
    verifier: str
    fresh: bool
    began_at: datetime
    redirect_uri: str


class Provider:
    """One provider, with its cached metadata and keys."""

    def __init__(self, config: ProviderConfig, http: HttpClient) -> None:
        self.config = config
        self._http = http
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._fetching = asyncio.Lock()
        """Held while fetching, so that concurrent sign-ins share one fetch."""
        self._failed_at = float("-inf")

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """The URL to redirect the browser to; raises ProviderUnavailable."""
        metadata = await self._discover()
        more: dict[str, str] = {"prompt": "login", "max_age": "0"} if request.fresh else {}
        if self.config.response_mode:
            more["response_mode"] = self.config.response_mode
        place: str = prepare_grant_uri(
            metadata.authorization_endpoint,
            self.config.client_id,
            "code",
            redirect_uri=request.redirect_uri,
            scope=self.config.scope,
            state=request.state,
            nonce=request.nonce,
            code_challenge=s256(request.verifier),
            code_challenge_method="S256",
            **more,
        )
        return place

    async def identify(
        self, request: AuthorizationRequest, code: str, issuer: str | None
    ) -> Identity:
        """Exchange `code` for the user's identity. Raises ProviderUnavailable or ProviderRefused.

        `issuer` is the `iss` parameter of the response, if it has one (RFC 9207).
        """
        metadata = await self._discover()
        required = metadata.authorization_response_iss_parameter_supported
        if (issuer is not None or required) and issuer != metadata.issuer:
            raise ProviderRefused("the answer names another issuer")
        tokens = await self._exchange(metadata, request, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise ProviderRefused("no ID token")
        claims = await self._read(metadata, request, id_token, access_token)
        more = claims
        if "email" not in claims and metadata.userinfo_endpoint and isinstance(access_token, str):
            more = await self._get_userinfo(metadata, claims["sub"], access_token)
        return identity_of(metadata.issuer, claims, more)

    async def _discover(self) -> ProviderMetadata:
        waiting_since = time.monotonic()
        async with self._fetching:
            if self._metadata is None or time.monotonic() - self._metadata[0] > CACHED_S:
                url = self.config.issuer.rstrip("/") + "/.well-known/openid-configuration"
                self._metadata = (
                    time.monotonic(),
                    self._check(await self._fetch(url, waiting_since)),
                )
            return self._metadata[1]

    async def _fetch(self, url: str, waiting_since: float) -> dict[str, Any]:
        """Fetch a JSON document.

        A caller that was waiting while another fetch failed fails too, instead of waiting for a
        timeout of its own.
        """
        if self._failed_at > waiting_since:
            raise ProviderUnavailable("its last request failed a moment ago")
        try:
            return await self._http.get(url)
        except ProviderUnavailable:
            self._failed_at = time.monotonic()
            raise

    def _check(self, document: dict[str, Any]) -> ProviderMetadata:
        try:
            metadata = msgspec.convert(document, ProviderMetadata)
        except msgspec.ValidationError as error:
            raise ProviderUnavailable(f"its discovery document is not valid: {error}") from None
        if metadata.token_endpoint is None:
            metadata = msgspec.structs.replace(metadata, token_endpoint=self.config.token_endpoint)
        urls = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        if metadata.issuer != self.config.issuer or not all(map(self._is_safe, urls)):
            raise ProviderUnavailable(
                "its discovery document names another issuer, or an address without TLS"
            )
        return metadata

    def _is_safe(self, url: str | None) -> bool:
        """Whether a URL uses TLS; a provider on this machine may also have plain loopback URLs."""
        return is_safe(url, of_loopback=self.config.issuer.startswith("http:"))

    async def _exchange(
        self, metadata: ProviderMetadata, request: AuthorizationRequest, code: str
    ) -> dict[str, Any]:
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=request.redirect_uri,
            code_verifier=request.verifier,
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        place, headers, body = self._client_auth().prepare(
            "POST", metadata.token_endpoint, headers, body
        )
        return await self._http.post(place, headers, body)

    def _client_auth(self) -> ClientAuth:
        config = self.config
        secret = self._apple_secret() if config.apple_key else config.client_secret
        method = config.client_auth or ("client_secret_basic" if secret else "none")
        if method == "client_secret_basic":  # RFC 6749, section 2.3.1: form-encode both first
            return ClientAuth(quote(config.client_id, safe=""), quote(secret, safe=""), method)
        return ClientAuth(config.client_id, secret, method)

    def _apple_secret(self) -> str:
        """Apple's client secret: a JWT signed with the team's key."""
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
        self,
        metadata: ProviderMetadata,
        request: AuthorizationRequest,
        id_token: str,
        access_token: Any,
    ) -> dict[str, Any]:
        """The claims of a valid ID token; raises ProviderRefused."""
        config = self.config
        try:
            read = await self._verify(metadata, id_token)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "value": metadata.issuer},
                    "aud": {"essential": True, "value": config.client_id},
                },
                params={
                    "nonce": request.nonce,
                    "client_id": config.client_id,
                    "access_token": access_token,
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_S)
        except (*JOSE_ERRORS, TypeError, KeyError, AttributeError) as error:
            raise ProviderRefused(f"its ID token is not valid: {type(error).__name__}") from None
        if request.fresh and not signed_in_since(claims, request.began_at):
            raise ProviderRefused("the user did not sign in again")
        return dict(claims)

    async def _verify(self, metadata: ProviderMetadata, id_token: str) -> jwt.Token:
        keys = await self._get_keys(metadata, older_s=CACHED_S)
        try:
            return jwt.decode(id_token, keys, algorithms=ALGORITHMS)
        except JOSE_ERRORS:  # the provider may have signed with a new key
            fresh = await self._get_keys(metadata, older_s=KEYS_REFETCHED_AFTER_S)
            if fresh is keys:
                raise
            return jwt.decode(id_token, fresh, algorithms=ALGORITHMS)

    async def _get_keys(self, metadata: ProviderMetadata, older_s: float) -> KeySet:
        waiting_since = time.monotonic()
        async with self._fetching:
            if self._keys is None or time.monotonic() - self._keys[0] > older_s:
                keys = usable_keys(await self._fetch(metadata.jwks_uri, waiting_since))
                self._keys = (time.monotonic(), keys)
            return self._keys[1]

    async def _get_userinfo(
        self, metadata: ProviderMetadata, subject: str, token: str
    ) -> dict[str, Any]:
        assert metadata.userinfo_endpoint is not None
        if not self._is_safe(metadata.userinfo_endpoint):
            raise ProviderRefused("its userinfo endpoint does not use TLS")
        headers = {"Authorization": f"Bearer {token}"}
        claims = await self._http.get(metadata.userinfo_endpoint, headers)
        if claims.get("sub") != subject:
            raise ProviderRefused("its userinfo is about another user")
        return claims


class Providers:
    """The configured providers, by name."""

    def __init__(self, providers: tuple[ProviderConfig, ...]) -> None:
        self._http = HttpClient()
        self._by_name = {config.name: Provider(config, self._http) for config in providers}

    def find(self, name: str) -> Provider | None:
        return self._by_name.get(name)

    def list(self) -> list[ProviderConfig]:
        return [provider.config for provider in self._by_name.values()]

    async def stop(self) -> None:
        await self._http.stop()


def open_providers(rules: Rules) -> Providers:
    """The providers of the operator's settings."""
    return Providers(provider_configs(rules.of(IdentityRules).oauth_providers))


def usable_keys(document: dict[str, Any]) -> KeySet:
    """The keys of a JWK set that can be used; others are ignored.

    Raises ProviderUnavailable when no key can be used.
    """
    listed = document.get("keys")
    keys = []
    for one in listed if isinstance(listed, list) else []:
        try:
            keys += KeySet.import_key_set({"keys": [one]}).keys
        except (*JOSE_ERRORS, KeyError, TypeError, AttributeError):
            continue
    if not keys:
        raise ProviderUnavailable("it has no keys of a supported kind")
    return KeySet(keys)


def signed_in_since(claims: dict[str, Any], moment: datetime) -> bool:
    """Whether the user signed in after `moment`; true when the provider sends no `auth_time`."""
    at = claims.get("auth_time")
    return at is None or (isinstance(at, int | float) and at >= moment.timestamp() - LEEWAY_S)


def identity_of(issuer: str, claims: dict[str, Any], more: dict[str, Any]) -> Identity:
    """The identity in the claims of an ID token; address and name come from `more`.

    `more` is the same claims, or those of the userinfo endpoint. Invalid claims are left out, but
    an invalid subject raises ProviderRefused.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or UNSTORABLE.search(subject):
        raise ProviderRefused("its subject is not valid")
    email = address_in(more)
    first, _, last = text_in(more, "name", 200).partition(" ")
    return Identity(
        issuer=issuer,
        subject=subject,
        email=email,
        # Apple sends a string
        email_verified=email is not None and more.get("email_verified") in (True, "true"),
        first_name=text_in(more, "given_name", 100) or first[:100],
        last_name=text_in(more, "family_name", 100) or last[:100],
    )


def address_in(claims: dict[str, Any]) -> str | None:
    """The address, if it is valid by the same rules as any other; otherwise None."""
    try:
        return canonical_address(msgspec.convert(claims.get("email"), Email))
    except ValueError:  # msgspec's errors are ValueErrors
        return None


def text_in(claims: Mapping[str, Any], name: str, length_max: int) -> str:
    """A claim as one line of visible text; empty when it is not a text.

    Invisible characters are removed rather than refused: the user could not correct them here.
    """
    value = claims.get(name)
    return one_line(one_line(value)[:length_max]) if isinstance(value, str) else ""
