"""Logging in through a browser: what `heroku login` starts, the page, and what it waits for.

Source: wire contract section 4
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html import escape
from typing import cast
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from ..actions.authenticate import check_password
from ..actions.browser_login import BrowserLogins
from ..core.errors import BadRequest, PlatformError, Unauthorized
from .auth import PlatformDep, credentials
from .body import json_body, text
from .errors import status_of

router = APIRouter()
# Nodes give up after 60 silent seconds: a blank is valid before JSON and shows that we are there.
_BLANK_EVERY_S = 15.0
_FORM_MAX_BYTES = 16 * 1024
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in to Senryu</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;color:#222}}
label,input,button{{display:block;width:100%;box-sizing:border-box;font:inherit}}
input{{margin:.2rem 0 1rem;padding:.5rem}}button{{margin:.5rem 0;padding:.6rem}}.no{{color:#a00}}</style>
<h1>Senryu</h1>{}</html>"""
_FORM = """<p>A command line asks to be logged in: <b>{what}</b>, from the address <b>{address}</b>.</p>
<p>Go on only if you started this yourself just now. It will be able to do everything that you can do.</p>{problem}
<form method="post"><label>E-mail address<input name="email" type="email" autocomplete="username" required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button><button name="refuse" value="yes" formnovalidate>Refuse</button></form>"""


def _logins(request: Request) -> BrowserLogins:
    return cast(BrowserLogins, request.app.state.logins)


def _page(content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(content), status, _HEADERS)


def _form(logins: BrowserLogins, id: str, problem: PlatformError | None = None) -> HTMLResponse:
    what, address = logins.asked_by(id)
    told = f'<p class="no" role="alert">{escape(problem.message)}</p>' if problem else ""
    content = _FORM.format(what=escape(what), address=escape(address), problem=told)
    return _page(content, status_of(problem) if problem else 200)


@router.post("/auth")
async def begin(request: Request) -> JSONResponse:
    """Begins a browser login: where the person goes, where the outcome is, and the token that fetches it."""
    description = text(await json_body(request), "description", most=1000) or "Command line"
    address = request.headers.get("x-forwarded-for", "").split(",")[0].strip() or "unknown"
    id, token = _logins(request).begin(description, address)
    return JSONResponse({"browser_url": f"/auth/browser/{id}", "cli_url": f"/auth/cli/{id}", "token": token}, 201)


@router.get("/auth/browser/{id}")
async def page(id: str, request: Request) -> HTMLResponse:
    """The page on which the person logs in."""
    return _form(_logins(request), id)


@router.post("/auth/browser/{id}")
async def answer(id: str, request: Request, platform: PlatformDep) -> HTMLResponse:
    """Takes the page's form."""
    logins, form = _logins(request), await _fields(request)
    logins.asked_by(id)
    if form.get("refuse"):
        logins.refuse(id)
        return _page("<p>Refused. The command line has been told; you may close this page.</p>")
    email, password = form.get("email", ""), form.get("password", "")
    try:
        account = await check_password(email, password, db=platform.db, clock=platform.clock, attempts=request.app.state.attempts)
    except Unauthorized as problem:
        return _form(logins, id, problem)
    await logins.allow(id, account, db=platform.db)
    return _page("<p>Logged in. You may close this page and return to your command line.</p>")


async def _fields(request: Request) -> dict[str, str]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _FORM_MAX_BYTES:
            raise BadRequest("The form is larger than 16 KB.")
    try:
        return {name: values[-1] for name, values in parse_qs(content.decode(), max_num_fields=10).items()}
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("The form could not be read.") from None


@router.get("/auth/cli/{id}")
async def outcome(id: str, request: Request) -> StreamingResponse:
    """Waits until the person has answered: `access_token` or `error`."""
    logins = _logins(request)
    logins.check(id, credentials(request.headers.get("authorization", ""))[1])

    async def waiting() -> AsyncIterator[bytes]:
        while (found := await logins.outcome(id, _BLANK_EVERY_S)) is None:
            yield b" "
        yield json.dumps(found).encode()

    # Not application/json, whose answers are held back until they have an ETag.
    return StreamingResponse(waiting(), media_type="application/vnd.heroku+json", headers={"Cache-Control": "no-store"})
