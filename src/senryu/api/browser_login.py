"""Logging in through a browser: what `heroku login` starts, the page, and what it waits for.

Source: wire contract section 4
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html import escape
from typing import cast

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from ..actions.browser_login import BrowserLogins
from ..core.errors import RateLimited, Unauthorized
from ..streamed import Streamed
from .auth import PlatformDep, credentials
from .body import json_body, text
from .login_page import CodeWanted, form_fields, login_form, proven, shown_page
from .routing import Router

router = Router()
# Nodes give up after 60 silent seconds: a blank is valid before JSON and shows that we are there.
_BLANK_EVERY_S = 15.0
_ASKS = """<p>A command line asks to be logged in: <b>{what}</b>, from the address <b>{address}</b>.</p>
<p>Go on only if you started this yourself just now. It will be able to do everything that you can do.</p>"""


def _logins(request: Request) -> BrowserLogins:
    return cast(BrowserLogins, request.app.state.logins)


def _asks(logins: BrowserLogins, id: str) -> str:
    what, address = logins.asked_by(id)
    return _ASKS.format(what=escape(what), address=escape(address))


@router.post("/auth")
async def begin(request: Request) -> JSONResponse:
    """Begins a browser login: where the person goes, where the outcome is, and the token that fetches it."""
    description = text(await json_body(request), "description", most=1000) or "Command line"
    address = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or "unknown"
    id, token = _logins(request).begin(description, address)
    return JSONResponse({"browser_url": f"/auth/browser/{id}", "cli_url": f"/auth/cli/{id}", "token": token}, 201)


@router.get("/auth/browser/{id}")
async def page(id: str, request: Request) -> HTMLResponse:
    """The page on which the person logs in."""
    return login_form(_asks(_logins(request), id))


@router.post("/auth/browser/{id}")
async def answer(id: str, request: Request, platform: PlatformDep) -> HTMLResponse:
    """Takes the page's form."""
    logins, form = _logins(request), await form_fields(request)
    asks = _asks(logins, id)
    if form.get("refuse"):
        logins.refuse(id)
        return shown_page("<p>Refused. The command line has been told; you may close this page.</p>")
    try:
        account = await proven(form, f"login:{id}", request)
    except (Unauthorized, RateLimited, CodeWanted) as problem:
        return login_form(asks, problem)
    await logins.allow(id, account, db=platform.db)
    return shown_page("<p>Logged in. You may close this page and return to your command line.</p>")


@router.get("/auth/cli/{id}")
async def outcome(id: str, request: Request) -> Streamed:
    """Waits until the person has answered: `access_token` or `error`."""
    logins = _logins(request)
    logins.check(id, credentials(request.headers.get("authorization", ""))[1])

    async def waiting() -> AsyncIterator[bytes]:
        while (found := await logins.outcome(id, _BLANK_EVERY_S)) is None:
            yield b" "
        yield json.dumps(found).encode()

    # Not application/json, whose answers are held back until they have an ETag.
    return Streamed(waiting(), media_type="application/vnd.heroku+json", headers={"Cache-Control": "no-store"})
