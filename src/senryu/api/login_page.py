"""The page on which a person logs in: password, then the code of a second factor when the account has one.

No cookies and no sessions: what the second step needs of the first is in the form, signed and good for five minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse

from ..actions.authenticate import check_password
from ..actions.two_factor import check_code
from ..core.account import Account
from ..core.errors import BadRequest, Forbidden, PlatformError, Unauthorized
from ..store.accounts import find_account
from .auth import guard_of, platform_of
from .errors import status_of
from .links import opened, signed

_FORM_MAX_BYTES = 16 * 1024
_TICKET_S = 300
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in to Senryu</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;color:#222}}
label,input,button{{display:block;width:100%;box-sizing:border-box;font:inherit}}
input{{margin:.2rem 0 1rem;padding:.5rem}}button{{margin:.5rem 0;padding:.6rem}}.no{{color:#a00}}</style>
<h1>Senryu</h1>{}</html>"""
_FIELDS = """<label>E-mail address<input name="email" type="email" autocomplete="username" required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>"""
_CODE = """<input name="ticket" type="hidden" value="{ticket}">
<label>Code of your authenticator app, or a recovery code<input name="code" autocomplete="one-time-code" required autofocus></label>"""
_BUTTONS = '<button>Log in</button><button name="refuse" value="yes" formnovalidate>Refuse</button>'


class CodeWanted(Forbidden):
    """The password was right, and the account has a second factor. `ticket` says the former for some minutes."""

    id = "two_factor"

    def __init__(self, message: str, ticket: str, is_first: bool) -> None:
        super().__init__(message)
        self.ticket, self.is_first = ticket, is_first


def shown_page(content: str, status: int = 200, *, leads_to: str = "") -> HTMLResponse:
    """A page. `leads_to` is the origin its form may lead to beyond this one."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {leads_to}; frame-ancestors 'none'; base-uri 'none'"
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(_PAGE.format(content), status, headers)


def login_form(asks: str, problem: PlatformError | None = None, *, leads_to: str = "") -> HTMLResponse:
    """The form below `asks` (HTML): for the password, or for the code when that is what is wanted."""
    is_code = isinstance(problem, CodeWanted)
    fields = _CODE.format(ticket=escape(problem.ticket)) if isinstance(problem, CodeWanted) else _FIELDS
    is_told = problem is not None and not (isinstance(problem, CodeWanted) and problem.is_first)
    told = f'<p class="no" role="alert">{escape(problem.message)}</p>' if problem and is_told else ""
    status = status_of(problem) if problem and not is_code else 403 if is_told else 200
    return shown_page(f'{asks}{told}<form method="post">{fields}{_BUTTONS}</form>', status, leads_to=leads_to)


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name. Raises: BadRequest."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _FORM_MAX_BYTES:
            raise BadRequest("The form is larger than 16 KB.")
    try:
        return {name: values[-1] for name, values in parse_qs(content.decode(), max_num_fields=20).items()}
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("The form could not be read.") from None


async def proven(form: Mapping[str, str], purpose: str, request: Request) -> Account:
    """Whose password, and code, a form has. `purpose` binds the two steps to one another.

    Raises: Unauthorized, RateLimited, CodeWanted.
    """
    platform, guard = platform_of(request), guard_of(request)
    if form.get("ticket"):
        try:
            id = opened(purpose, form["ticket"], platform)
        except PlatformError:
            raise Unauthorized("This took too long; log in again.") from None
        async with platform.db.reading() as tx:
            account = await find_account(tx, id)
        if account is None:
            raise Unauthorized("This took too long; log in again.")
    else:
        email, password = form.get("email", ""), form.get("password", "")
        account = await check_password(email, password, place=guard.place, db=guard.db, clock=guard.clock, attempts=guard.attempts)
    try:
        await check_code(account, form.get("code"), guard=guard)
    except Forbidden as problem:
        ticket = form.get("ticket") or signed(purpose, account.id, _TICKET_S, platform)
        raise CodeWanted(problem.message, ticket, is_first=not form.get("code")) from None
    return account
