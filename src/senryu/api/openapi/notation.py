"""A short way to write JSON schemas: `id:uuid name?:text owner:{email:text id:uuid} role:admin|member tags:[text] app:#app`.

`?` may be null, `!` must be given (in request bodies, where everything else may be left out), `#x` is the resource x,
`a|b` is one of these texts, `*` may be missing from an answer. `~` in a name stands for a `?` that belongs to it.
"""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

_TOKEN = re.compile(r"[\[\]{}]|[^\s\[\]{}]+")
_KINDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "moment": {"type": "string", "format": "date-time"},
    "uri": {"type": "string", "format": "uri"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "texts": {"type": "object", "additionalProperties": {"type": "string"}},
    "any": {},
    "null": {"type": "null"},
    # What names another resource: its name or id, or an object with one of them.
    "relation": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
            {"type": "null"},
        ]
    },
}


def schema(text: str, *, strict: bool) -> Schema:
    """The JSON schema of a notation; `strict` for answers, which have every field and no others. Raises: ValueError."""
    tokens = _TOKEN.findall(text)
    if tokens and ":" in tokens[0] and tokens[0] not in "{[":
        tokens = ["{", *tokens, "}"]
    found, rest = _type(tokens, strict)
    if rest:
        raise ValueError(f"{rest[0]!r} is left over in {text!r}")
    return found


def _type(tokens: list[str], strict: bool) -> tuple[Schema, list[str]]:
    first, rest = tokens[0], tokens[1:]
    if first == "{":
        return _object(rest, strict)
    if first == "[":
        item, rest = _type(rest, strict)
        return {"type": "array", "items": item}, rest[1:]
    return _named(first), rest


def _object(tokens: list[str], strict: bool) -> tuple[Schema, list[str]]:
    properties: dict[str, Schema] = {}
    required: list[str] = []
    while tokens[0] != "}":
        name, _, kind = tokens[0].partition(":")
        found, tokens = _type(([kind] if kind else []) + tokens[1:], strict)
        plain = name.rstrip("?!*").replace("~", "?")
        properties[plain] = _or_null(found) if "?" in name else found
        if (strict and "*" not in name) or "!" in name:
            required.append(plain)
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = required
    if strict:
        made["additionalProperties"] = False
    return made, tokens[1:]


def _named(kind: str) -> Schema:
    if kind.startswith("#"):
        return {"$ref": f"#/components/schemas/{kind[1:]}"}
    if "|" in kind:
        return {"type": "string", "enum": kind.split("|")}
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of value")
    return dict(_KINDS[kind])


def _or_null(found: Schema) -> Schema:
    if isinstance(found.get("type"), str) and "enum" not in found and found["type"] != "object":
        return {**found, "type": [found["type"], "null"]}
    return {"anyOf": [found, {"type": "null"}]}
