"""How values are written in HAProxy's configuration. Text only."""

from __future__ import annotations

from senryu.routers.haproxy import pages

HTML = "content-type text/html;charset=utf-8"


def ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def quoted(value: str) -> str:
    """A log-format string as one word: `%` doubled, nothing else means anything inside single quotes."""
    return "'" + value.replace("%", "%%").replace("'", "&#39;") + "'"


def page_with(title: str, body: str) -> str:
    """A whole page as a log-format string; `body` is one already."""
    return "'" + pages.page(title, "BODY").replace("%", "%%").replace("BODY", body) + "'"
