"""The names of all fields there are, so that one that is nowhere can be told from one that is elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from .notation import schema
from .operations import operations
from .resources import RESOURCES

# What Heroku's clients send for things that are not here; the calls say so themselves.
_ELSEWHERE = frozenset(
    "ack build confirm default docker_image enabled force internal_routing kpi organization owner parent personal pipeline space stage"
    " target".split()
)


@cache
def vocabulary() -> frozenset[str]:
    """Every field of every resource and of every request."""
    texts = [*RESOURCES.values(), *(taken for _, _, taken in operations().values() if taken and "/" not in taken and taken != "any")]
    return _ELSEWHERE | {name for text in texts for name in _names(schema(text, strict=False))}


@cache
def free_form() -> frozenset[str]:
    """The calls whose fields the caller names: `METHOD path`."""
    return frozenset(call for call, (_, _, taken) in operations().items() if taken == "any")


def _names(kind: Any) -> set[str]:
    if isinstance(kind, list):
        return {name for item in kind for name in _names(item)}
    if not isinstance(kind, dict):
        return set()
    properties = kind.get("properties", {})
    inner = [*properties.values(), *(kind.get(word) for word in ("items", "anyOf"))]
    return {*properties, *_names(inner)}
