"""REST routes that redirect browsers to a provider and handle the redirect back.

A sign-in ends at the page (`/#/oauth?…`), or at the app address given at the start, with `ticket`
or `error`. Apple responds with a POST from its own site, and browsers do not send our cookie
(SameSite=Lax) with a cross-site POST. So the POST changes nothing and redirects to the GET route,
which receives the cookie.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import structlog
from aiohttp import web
from msgspec import UNSET

from handlers.kit.context import Context
from handlers.kit.errors import Invalid, NotFound
from handlers.kit.rest import BODY
from handlers.kit.rules import KitRules
from handlers.platform.identities import identities, service, tickets
from handlers.platform.identities.contracts import StartOAuth
from handlers.platform.identities.http_client import ProviderRefused, ProviderUnavailable
from handlers.platform.identities.openid import Identity, Provider, text_in
from handlers.platform.identities.rules import IdentityRules
from handlers.platform.identities.tickets import Attempt

log = structlog.get_logger("oauth")

COOKIE_DIGITS = 8
KEYS_MAX = 20
"""The maximum number of browser keys that are read from the cookies."""
ANSWERS = ("state", "code", "error", "iss")
"""The query parameters of a provider's response."""


@identities.route("GET", "/oauth/{provider}/start", visitors=True, rate="oauth")
async def start(ctx: Context, request: web.Request) -> web.Response:
    """Redirect the browser to a provider."""
    provider, ask = find_provider(ctx, request), read_start(ctx, request)
    browser = next(iter(browser_keys(ctx, request)), None) or tickets.make_secret()
    name, back = provider.config.name, None if ask.redirect is UNSET else ask.redirect
    attempt = Attempt(
        provider=name,
        request=tickets.make_authorization_request(
            ctx.kernel.clock.now(), ask, callback_of(ctx, name)
        ),
        challenge=None if ask.challenge is UNSET else ask.challenge,
        redirect=back,
    )
    try:
        url = await provider.authorization_url(attempt.request)
    except ProviderUnavailable as error:
        log.warning("provider_away", provider=name, error=str(error))
        return redirect_back(ctx, back, error="OAUTH_UNAVAILABLE")
    await ctx.transact(tickets.keep_attempt, attempt, browser)
    response = redirect_to(url)
    response.set_cookie(
        cookie_of(ctx, browser),
        browser,
        max_age=ctx.kernel.rules.of(IdentityRules).oauth_attempt_s,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=has_tls(ctx),
    )
    return response


@identities.route("GET", "/oauth/{provider}/callback", visitors=True, rate="oauth")
async def callback(ctx: Context, request: web.Request) -> web.Response:
    """Handle the redirect back from a provider."""
    provider, answer = find_provider(ctx, request), request.query
    name = provider.config.name
    state, browsers = answer.get("state", ""), browser_keys(ctx, request)
    attempt = await ctx.transact(tickets.take_attempt, name, state, browsers)
    if attempt is None:
        return await fail(ctx, name, None, "OAUTH_STATE")
    if any(len(answer.getall(name, ())) > 1 for name in ANSWERS):
        return await fail(ctx, name, attempt, "OAUTH_FAILED")
    if "code" not in answer or "error" in answer:
        denied = answer.get("error") in ("access_denied", "user_cancelled_authorize")
        return await fail(ctx, name, attempt, "OAUTH_CANCELLED" if denied else "OAUTH_FAILED")
    try:
        identity = await provider.identify(attempt.request, answer["code"], answer.get("iss"))
    except ProviderUnavailable as error:
        return await fail(ctx, name, attempt, "OAUTH_UNAVAILABLE", error)
    except ProviderRefused as error:
        return await fail(ctx, name, attempt, "OAUTH_FAILED", error)
    ticket = await ctx.transact(tickets.make_ticket, attempt, with_names(identity, answer))
    return redirect_back(ctx, attempt.redirect, ticket=ticket)


@identities.route(
    "POST", "/oauth/{provider}/callback", visitors=True, rate="oauth", cross_site=True
)
async def posted_callback(ctx: Context, request: web.Request) -> web.Response:
    """Accept a provider's `form_post` response, and redirect it as a GET request."""
    provider, form = find_provider(ctx, request), read_form(request)
    answer = {name: form[name] for name in ANSWERS if isinstance(form.get(name), str)}
    answer |= posted_names(form.get("user"))
    return redirect_to(f"{callback_of(ctx, provider.config.name)}?{urlencode(answer)}")


def find_provider(ctx: Context, request: web.Request) -> Provider:
    """The provider of the path; raises NotFound."""
    provider: Provider | None = ctx.kernel.providers.find(request.match_info["provider"])
    if provider is None:
        raise NotFound
    return provider


def read_start(ctx: Context, request: web.Request) -> StartOAuth:
    """The parameters of a start request; raises Invalid, also when it is not a page navigation."""
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":
        raise Invalid("Open this address as a page.")
    if len(request.query) != len(set(request.query)):
        raise Invalid("Give each parameter only once.")
    try:
        ask = msgspec.convert(dict(request.query), StartOAuth)
    except msgspec.ValidationError as error:
        raise Invalid.of(str(error)) from None
    allowed = ctx.kernel.rules.of(IdentityRules).oauth_redirects
    if ask.redirect is not UNSET and ask.redirect not in allowed:
        raise Invalid("This redirect address is not on the server's list.")
    if ask.redirect is not UNSET and ask.challenge is UNSET:
        raise Invalid("A redirect to an app requires a challenge.")
    return ask


def cookie_of(ctx: Context, browser: str = "") -> str:
    """The name of the cookie with this key. Two tabs that start at once get a key each, and a
    browser keeps both, because their names differ.

    With TLS, the prefix stops other hosts of the domain from setting it.
    """
    name = "__Host-parley_oauth" if has_tls(ctx) else "parley_oauth"
    return f"{name}_{tickets.hash_of(browser)[:COOKIE_DIGITS]}" if browser else name


def browser_keys(ctx: Context, request: web.Request) -> list[str]:
    """The keys of this browser: one, or a few after several tabs started at once."""
    begin = cookie_of(ctx)
    keys = [key for name, key in request.cookies.items() if name.startswith(begin) and key]
    return keys[:KEYS_MAX]


def has_tls(ctx: Context) -> bool:
    return ctx.kernel.rules.of(KitRules).public_url.startswith("https:")


def read_form(request: web.Request) -> Mapping[str, Any]:
    """The posted form; raises Invalid for another kind of body."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Invalid("The body is not a URL-encoded form.")
    try:
        return dict(parse_qsl(request[BODY].decode(), max_num_fields=20))
    except (UnicodeDecodeError, ValueError):
        raise Invalid("The body is not a URL-encoded form.") from None


def posted_names(user: Any) -> dict[str, str]:
    """The name that Apple sends beside the ID token, only at the first sign-in."""
    try:
        name = msgspec.json.decode(user or "{}", type=dict[str, Any]).get("name")
    except (msgspec.DecodeError, TypeError, RecursionError):
        return {}
    if not isinstance(name, dict):
        return {}
    parts = {"first": "firstName", "last": "lastName"}
    names = {key: text_in(name, part, 100) for key, part in parts.items()}
    return {key: value for key, value in names.items() if value}


def with_names(identity: Identity, answer: Any) -> Identity:
    """The identity with names from the query, where the ID token has none."""
    return msgspec.structs.replace(
        identity,
        first_name=identity.first_name or text_in(answer, "first", 100),
        last_name=identity.last_name or text_in(answer, "last", 100),
    )


def callback_of(ctx: Context, name: str) -> str:
    """The redirect URI that is registered with the provider."""
    return f"{public_url_of(ctx)}/oauth/{name}/callback"


def public_url_of(ctx: Context) -> str:
    """The public address of this server, without a slash at its end."""
    return ctx.kernel.rules.of(KitRules).public_url.rstrip("/")


async def fail(
    ctx: Context, name: str, attempt: Attempt | None, code: str, why: Exception | None = None
) -> web.Response:
    """Log and record a failed sign-in, and redirect back with its error code."""
    log.info("oauth_failed", provider=name, code=code, why=str(why or ""))
    await ctx.transact(service.note_failure, name, code)
    return redirect_back(ctx, attempt.redirect if attempt else None, error=code)


def redirect_back(ctx: Context, redirect: str | None, **values: str) -> web.Response:
    """Redirect to the app that started, or to the page.

    The page gets the values in the fragment of the URL, which browsers do not send to servers.
    """
    if redirect is not None:
        return redirect_to(f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(values)}")
    return redirect_to(f"{public_url_of(ctx)}/#/oauth?{urlencode(values)}")


def redirect_to(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
