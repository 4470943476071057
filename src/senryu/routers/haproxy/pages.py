"""The pages visitors see when no dyno answers: small, plain, nothing about our insides.

Source: https://devcenter.heroku.com/articles/error-pages
"""

from __future__ import annotations

import re
from html import escape, unescape
from urllib.parse import urlsplit

from senryu.core.errors import Invalid

_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    "<title>{title}</title></head><body>{body}</body></html>"
)
_TEXT = "<h1>{title}</h1><p>{text}</p>"
_FRAME = '<iframe src="{url}" title="{title}" style="position:fixed;inset:0;width:100%;height:100%;border:0"></iframe>'
_URL_MAX_CHARS = 2000

ERROR_TITLE = "Application error"
MAINTENANCE_TITLE = "Offline for maintenance"


def text(title: str, words: str) -> str:
    """The body of a built-in page."""
    return _TEXT.format(title=escape(title), text=escape(words))


def page(title: str, body: str) -> str:
    """A whole page; `body` is HTML already."""
    return _PAGE.format(title=escape(title), body=body)


ERROR_TEXT = text(ERROR_TITLE, "This app could not answer. If you run it, its log says why: look at it with `senryu logs --tail`.")
MAINTENANCE_TEXT = text(MAINTENANCE_TITLE, "This app is being worked on and will be back. Please try again later.")
NO_SUCH_APP = page("No such app", text("No such app", "There is no app at this address. Check how it is spelled."))
BLANK_APP = page("Nothing here yet", text("Nothing here yet", "This app was created, and nothing was deployed to it so far."))
OUT_OF_HOURS = page(
    "No dyno hours left",
    text("No dyno hours left", "This app has used up its hours of this month. It is back when the next month begins."),
)
BAD_REQUEST = page("Bad request", text("Bad request", "This request could not be understood."))
BAD_API_REQUEST = '{"id":"bad_request","message":"A header or the address of this request is too long or cannot be understood."}'
BAD_EXPECTATION = page("Expectation failed", text("Expectation failed", "Only `100-continue` can be expected here."))
REQUEST_TIMEOUT = page("Request timeout", text("Request timeout", "The request took too long to arrive."))


def frame(url: str, title: str) -> str:
    """The body that shows somebody's own page at `url`.

    Raises Invalid unless it is a plain http(s) URL: it ends in HTML that strangers see.
    """
    try:
        parts = urlsplit(url)
        is_web_page = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web_page = False
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    if not is_web_page or not is_plain or len(url) > _URL_MAX_CHARS:
        raise Invalid(f"The page URL `{url[:100]}` cannot be shown to visitors; give an http or https address without spaces or quotes.")
    return _FRAME.format(url=escape(url), title=escape(title))


def framed_url(body: str) -> str | None:
    """The URL that a `frame` shows; None for anything else."""
    found = re.match(r'<iframe src="([^"]*)"', body)
    return unescape(found[1]) if found else None
