"""Request bodies: read within bounds, then field by field, so that every wrong one is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request

from ..core.errors import BadRequest, Invalid
from ..core.limits import API_BODY_MAX_BYTES
from .openapi.vocabulary import free_form, vocabulary


async def json_body(request: Request) -> dict[str, Any]:
    """The body as an object; an empty body is an empty object. Raises: BadRequest when it is too large, no JSON or no object; Invalid."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > API_BODY_MAX_BYTES:
            raise BadRequest("The request body is larger than 1 MB; send less.")
    if not content.strip():
        return {}
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The request body must be a JSON object.")
    _check_known(request, body)
    return body


def _check_known(request: Request, body: Mapping[str, Any]) -> None:
    """A field that nothing in the API has is a mistake. Those of other resources are left alone, as clients send them along."""
    route = request.scope.get("route")
    if f"{request.method} {getattr(route, 'path', '')}" in free_form():
        return
    strange = [name for name in body if name not in vocabulary()]
    if strange:
        raise Invalid(f"Unknown fields: {', '.join(name[:40] for name in strange[:5])}.")


def text(body: Mapping[str, Any], name: str, *, most: int = 4096) -> str | None:
    """An optional text. Raises: Invalid when it is something else, or too long."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(f"`{name}` must be text.")
    if len(value) > most:
        raise Invalid(f"`{name}` is longer than {most} characters.")
    return value


def needed_text(body: Mapping[str, Any], name: str, *, most: int = 4096) -> str:
    """A text that must be there. Raises: Invalid."""
    value = text(body, name, most=most)
    if not value:
        raise Invalid(f"`{name}` is missing.")
    return value


def flag(body: Mapping[str, Any], name: str) -> bool | None:
    """An optional true or false; clients there are send 1 and 0 too. Raises: Invalid."""
    value = body.get(name)
    if value in (0, 1) and isinstance(value, int):
        return bool(value)
    if value is not None:
        raise Invalid(f"`{name}` must be true or false.")
    return value


def number(body: Mapping[str, Any], name: str, *, least: int, most: int) -> int | None:
    """An optional whole number. Raises: Invalid."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"`{name}` must be a whole number from {least} to {most}.")
    return value


def named(body: Mapping[str, Any], name: str) -> str | None:
    """A relation, given as a text or as an object with `name` or `id`. Raises: Invalid."""
    value = body.get(name)
    if isinstance(value, dict):
        value = value.get("name") or value.get("id")
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or len(value) > 254:
        raise Invalid(f"`{name}` must be a name or an object with `name` or `id`.")
    return value


def needed_name(body: Mapping[str, Any], name: str) -> str:
    """A relation that must be there. Raises: Invalid."""
    value = named(body, name)
    if not value:
        raise Invalid(f"`{name}` is missing.")
    return value


def texts(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """An object of texts, such as `env`. Raises: Invalid."""
    value = body.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(item, str | int) and not isinstance(item, bool) for item in value.values()):
        raise Invalid(f"`{name}` must be an object of texts.")
    return {key: str(item) for key, item in value.items()}


def entries(body: Mapping[str, Any], name: str, *, most: int = 1000) -> list[dict[str, Any]]:
    """A list of objects, such as `updates`. Raises: Invalid."""
    value = body.get(name)
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
        raise Invalid(f"`{name}` must be a list of at most {most} objects.")
    return value


def uuid_or(text_or_id: str) -> UUID | str:
    """An id when it looks like one, else the text."""
    try:
        return UUID(text_or_id)
    except ValueError:
        return text_or_id
