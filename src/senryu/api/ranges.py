"""Paging by `Range`.

Source: https://devcenter.heroku.com/articles/platform-api-reference#ranges
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.errors import BadRequest
from ..core.limits import API_PAGE_DEFAULT, API_PAGE_MAX

_RANGE = re.compile(r"^\s*([a-z_]+)\s+(\]?)([^\s;,]*?)\.\.([^\s;,]*)\s*([;,].*)?\Z")
_HEADER_MAX_CHARS = 1000  # matching takes time by the square of it
_BAD = "The Range header is not of the form `id ..; max=200, order=asc`."


@dataclass(frozen=True, slots=True)
class Page:
    """What a client asked for: sorted by `field`, from `first` (without it when `is_after`) to `last`."""

    field: str
    first: str = ""
    last: str = ""
    is_after: bool = False
    most: int = API_PAGE_DEFAULT
    is_descending: bool = False
    is_asked: bool = False


def page_of(header: str | None, *, fields: Sequence[str]) -> Page:
    """The page a header asks for; the first of `fields` when there is none or it is empty. Raises: BadRequest."""
    if header is None or not header.strip():
        return Page(fields[0])
    found = _RANGE.match(header) if len(header) <= _HEADER_MAX_CHARS else None
    if found is None or found[1] not in fields:
        raise BadRequest(_BAD if found is None else f"Lists here can be sorted by {', '.join(fields)}, not by `{found[1]}`.")
    options = dict(part.strip().partition("=")[::2] for part in re.split(r"[;,]", found[5] or "") if part.strip())
    most, order = options.pop("max", str(API_PAGE_DEFAULT)), options.pop("order", "asc")
    if options or not _is_number(most) or order not in ("asc", "desc"):
        raise BadRequest(_BAD)
    return Page(found[1], found[3], found[4], found[2] == "]", min(max(int(most), 1), API_PAGE_MAX), order == "desc", True)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _key(item: Mapping[str, Any], field: str) -> tuple[int, int, str]:
    value = item.get(field)
    return (0, value, "") if isinstance(value, int) else (1, 0, str(value))


def _bound(text: str, sample: tuple[int, int, str]) -> tuple[int, int, str]:
    if sample[0] == 0:
        if not _is_number(text):
            raise BadRequest(_BAD)
        return (0, int(text), "")
    return (1, 0, text)


def cut(items: Sequence[Mapping[str, Any]], page: Page) -> tuple[list[Mapping[str, Any]], str | None]:
    """The page's items and the `Next-Range` of the one after it, None on the last. Pure.

    Items of the same value (two builds of one second) stay in the order given, in descending order the last comes first. Where the next
    item has the same value, the bound is `value~id`, so that none is left out.
    """
    ordered = sorted(items, key=lambda item: _key(item, page.field))
    if page.is_descending:
        ordered.reverse()
    first, _, tie = page.first.partition("~")
    if ordered and (first or page.last):
        kept = replace(page, first=first, is_after=page.is_after and not tie)
        ordered = [item for item in ordered if _is_in(item, kept, _key(ordered[0], page.field))]
        ids = [str(item.get("id", "")) for item in ordered]
        ordered = ordered[ids.index(tie) + 1 :] if tie in ids else ordered
    taken, rest = ordered[: page.most], ordered[page.most :]
    if not rest:
        return taken, None
    last = taken[-1]
    bound = f"~{last.get('id', '')}" if _key(rest[0], page.field) == _key(last, page.field) else ""
    order = ",order=desc" if page.is_descending else ""
    return taken, f"{page.field} ]{last[page.field]}{bound}..{page.last}; max={page.most}{order}"


def _is_in(item: Mapping[str, Any], page: Page, sample: tuple[int, int, str]) -> bool:
    key, sign = _key(item, page.field), -1 if page.is_descending else 1
    if page.last and _order(key, _bound(page.last, sample)) * sign > 0:
        return False
    if not page.first:
        return True
    place = _order(key, _bound(page.first, sample)) * sign
    return place > 0 or (place == 0 and not page.is_after)


def _order(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def listed(
    request: Request, items: Sequence[Mapping[str, Any]], *, fields: Sequence[str] = ("id",), shown: Callable[[Any], Any] | None = None
) -> JSONResponse:
    """A list answer: 200 whole or 206 with `Next-Range` when there is more. Raises: BadRequest for a bad Range."""
    page = page_of(request.headers.get("range"), fields=fields)
    taken, next_range = cut(items, page)
    headers = {"Accept-Ranges": ", ".join(fields)}
    if taken:
        headers["Content-Range"] = f"{page.field} {taken[0][page.field]}..{taken[-1][page.field]}"
    if next_range:
        headers["Next-Range"] = next_range
    content = [shown(item) if shown else item for item in taken]
    return JSONResponse(content, 206 if next_range else 200, headers)
