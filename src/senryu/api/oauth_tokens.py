"""The OAuth web flow: the page on which a person lets a client in, and where the client trades what it got for tokens.

Source: https://devcenter.heroku.com/articles/oauth#web-application-authorization; RFC 6749 section 4.1
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from urllib.parse import unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ..actions.oauth_grants import Granted, asking_client, give_code, trade_code, trade_refresh_token, wanted_scope
from ..core.account import Account
from ..core.errors import BadRequest, NotFound, PlatformError, RateLimited, Unauthorized
from ..core.limits import OAUTH_TOKEN_S
from ..core.oauth_client import OAuthClient
from ..platform import Platform
from .auth import PlatformDep
from .body import json_body
from .errors import status_of
from .login_page import CodeWanted, form_fields, login_form, proven, shown_page
from .routing import Router

router = Router()
_MEANS = {
    "global": "do everything that you can do",
    "identity": "read your name and e-mail address",
    "read": "read your apps, without config vars",
    "write": "change your apps, without config vars",
    "read-protected": "read your apps with their config vars",
    "write-protected": "change your apps with their config vars",
}
_ASKS = """<p><b>{name}</b> asks to use your account. It will be able to:</p><ul>{means}</ul>
<p>You will be led to <b>{host}</b>. Log in to allow it.</p>"""


def _led(client: OAuthClient, **given: str | None) -> RedirectResponse:
    query = urlencode({name: value for name, value in given.items() if value is not None})
    parts = urlsplit(client.redirect_uri)
    led = parts._replace(query=f"{parts.query}&{query}" if parts.query else query)
    return RedirectResponse(led.geturl(), 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _page_of(client: OAuthClient, scope: tuple[str, ...]) -> str:
    means = "".join(f"<li>{escape(_MEANS[each])}</li>" for each in scope)
    return _ASKS.format(name=escape(client.name), means=means, host=escape(urlsplit(client.redirect_uri).netloc))


def _origin(client: OAuthClient) -> str:
    parts = urlsplit(client.redirect_uri)
    return f"{parts.scheme}://{parts.netloc}"


async def _asked(request: Request, platform: Platform) -> OAuthClient:
    query = request.query_params
    return await asking_client(query.get("client_id", ""), query.get("redirect_uri"), db=platform.db, vault=platform.vault)


def _scope_of(request: Request) -> tuple[str, ...]:
    if request.query_params.get("response_type") != "code":
        raise BadRequest("`response_type` must be `code`.", id="unsupported_response_type")
    return wanted_scope(request.query_params.get("scope"))


@router.get("/oauth/authorize")
async def page(request: Request, platform: PlatformDep) -> Response:
    """The page. A client or address that is not registered is told here; whatever else is wrong is told the client."""
    try:
        client = await _asked(request, platform)
    except (NotFound, BadRequest) as problem:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return shown_page(f'<p class="no" role="alert">{escape(problem.message)}</p>', status_of(problem))
    try:
        scope = _scope_of(request)
    except BadRequest as problem:
        return _led(client, error=problem.id, error_description=problem.message, state=request.query_params.get("state"))
    return login_form(_page_of(client, scope), leads_to=_origin(client))


@router.post("/oauth/authorize")
async def answer(request: Request, platform: PlatformDep) -> Response:
    """Takes the page's form, and leads back with `code` or `error`, and the client's `state`."""
    client, scope = await _asked(request, platform), _scope_of(request)
    form, state = await form_fields(request), request.query_params.get("state")
    if form.get("refuse"):
        return _led(client, error="access_denied", error_description="The person refused.", state=state)
    try:
        account = await proven(form, f"oauth:{client.id}", request)
    except (Unauthorized, RateLimited, CodeWanted) as problem:
        return login_form(_page_of(client, scope), problem, leads_to=_origin(client))
    return _led(client, code=await give_code(client, account, scope, db=platform.db, clock=platform.clock), state=state)


def _basic(header: str) -> tuple[str | None, str]:
    """Client id and secret of an Authorization header (RFC 6749 section 2.3.1)."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        id, _, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None, ""
    return unquote(id), unquote(secret)


async def _sent(request: Request) -> Mapping[str, str]:
    """A form, as RFC 6749 has it, or JSON, as Heroku takes too."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return await form_fields(request)
    return {name: value for name, value in (await json_body(request)).items() if isinstance(value, str)}


@router.post("/oauth/token")
async def create(request: Request, platform: PlatformDep) -> JSONResponse:
    """Tokens for a code, or fresh ones for a refresh token. The client proves itself by its secret."""
    sent = await _sent(request)
    basic_id, basic_secret = _basic(request.headers.get("authorization", ""))
    secret, client_id = sent.get("client_secret") or basic_secret, sent.get("client_id") or basic_id
    db, vault, clock = platform.db, platform.vault, platform.clock
    try:
        if sent.get("grant_type") == "authorization_code":
            back = sent.get("redirect_uri")
            code = sent.get("code", "")
            made = await trade_code(code, secret, client_id=client_id, redirect_uri=back, db=db, vault=vault, clock=clock)
        elif sent.get("grant_type") == "refresh_token":
            made = await trade_refresh_token(sent.get("refresh_token", ""), secret, client_id=client_id, db=db, vault=vault, clock=clock)
        else:
            raise BadRequest("`grant_type` must be authorization_code or refresh_token.", id="unsupported_grant_type")
    except (BadRequest, Unauthorized) as problem:
        return _refused(problem)
    return JSONResponse(_shown(*made), 200, {"Cache-Control": "no-store", "Pragma": "no-cache"})


def _refused(problem: PlatformError) -> JSONResponse:
    """Heroku's form of an error with the fields of RFC 6749 section 5.2."""
    body = {"id": problem.id, "message": problem.message, "error": problem.id, "error_description": problem.message}
    return JSONResponse(body, status_of(problem), {"Cache-Control": "no-store"})


def _shown(granted: Granted, account: Account) -> dict[str, object]:
    return {
        "access_token": granted.access_token,
        "expires_in": int(OAUTH_TOKEN_S) - 1,
        "refresh_token": granted.refresh_token,
        "session_nonce": None,
        "token_type": "Bearer",
        "user_id": str(account.id),
    }
