"""From the two tables to one document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from .notation import Schema, schema
from .operations import operations
from .resources import RESOURCES

Route = tuple[str, str, Callable[..., Any]]

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_PUBLIC = (
    *"/.well-known/ /api/v4/ /auth /buildpacks /openapi.json /schema".split(),
    *"/senryu/ca.pem /senryu/doors /senryu/health /senryu/registrations".split(),
)
_SIGNED = ("/senryu/sources/", "/senryu/slugs/", "/senryu/backups/", "/senryu/streams/", "/senryu/logs/")
_ERROR = "id:text message:text url:text resource:text app:{name:text} error:text error_description:text"
_REFUSALS = {
    "400": "The request cannot be read",
    "401": "No token, or none that counts",
    "403": "Not allowed",
    "404": "No such thing, or none the account may know of",
    "409": "Something else is under way",
    "422": "Understood and refused",
    "429": "Too many calls",
    "503": "A part of the platform does not answer",
}


def document(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """The document of all routes, each a method, a path and the function that answers. Raises: KeyError for one not in the table."""
    table = operations()
    paths: dict[str, dict[str, Any]] = {}
    for method, path, answers in sorted(routes, key=lambda route: route[:2]):
        shown = _PARAMETER.sub(r"{\1}", path)
        paths.setdefault(shown, {})[method.lower()] = _operation(method, path, answers, *table[f"{method} {path}"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Senryu Platform API", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {**{name: schema(text, strict=True) for name, text in RESOURCES.items()}, "error": _error()},
            "responses": {f"e{status}": _refusal(text) for status, text in _REFUSALS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}},
        },
    }


_ABOUT = (
    "Heroku's Platform API, version 3, as far as Senryu has it. Lists page by the header Range; errors are objects with id and message;"
    " every Accept of the form application/vnd.heroku+json; version=3.* is answered alike."
)


def _error() -> Schema:
    return {**schema(_ERROR, strict=False), "required": ["id", "message"], "additionalProperties": False}


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}


def _operation(method: str, path: str, answers: Callable[..., Any], status: str, result: str, taken: str) -> dict[str, Any]:
    about = (answers.__doc__ or "").strip().split("\n")[0]
    made: dict[str, Any] = {
        "operationId": f"{answers.__module__.rsplit('.', 1)[-1]}.{answers.__name__}:{method} {path}",
        "summary": about,
        "tags": [answers.__module__.rsplit(".", 1)[-1]],
        "parameters": [*_in_path(path), *_in_query(path)],
        "responses": _responses(status, result),
        "security": [] if path.startswith((*_PUBLIC, *_SIGNED)) else [{"token": []}, {"basic": []}],
    }
    if result.startswith("[") and method in ("GET", "POST"):
        made["parameters"].append({"name": "Range", "in": "header", "schema": {"type": "string"}, "example": "id ..; max=200"})
    if taken:
        made["requestBody"] = _body(taken)
    return made


def _in_path(path: str) -> list[dict[str, Any]]:
    kind = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": kind} for name in _PARAMETER.findall(path)]


def _in_query(path: str) -> list[dict[str, Any]]:
    needs_app = path == "/senryu/slugs/{token}"
    return [{"name": "app", "in": "query", "required": True, "schema": {"type": "string", "format": "uuid"}}] if needs_app else []


def _body(taken: str) -> dict[str, Any]:
    if "/" in taken:
        return {"content": {taken: {"schema": {"type": "string", "format": "binary"}}}}
    kind = schema("{}" if taken == "any" else taken, strict=False)
    return {"content": {"application/json": {"schema": kind}}, "required": bool(kind.get("required"))}


def _responses(status: str, result: str) -> dict[str, Any]:
    made: dict[str, Any] = {each: {"$ref": f"#/components/responses/e{each}"} for each in _REFUSALS}
    if status == "-":
        return made
    status, _, elsewhere = status.partition("+")
    if elsewhere:
        made[elsewhere] = {"description": "Leads elsewhere"}
    made[status] = {"description": "As asked", **_content(result)}
    if result.startswith("["):
        made["206"] = {"description": "A part; Next-Range leads to the next", **_content(result)}
    return dict(sorted(made.items()))


def _content(result: str) -> dict[str, Any]:
    if result == "empty":
        return {}
    if "/" in result and ":" not in result:
        return {"content": {result: {}}}
    return {"content": {"application/json": {"schema": schema(result.removeprefix("="), strict=True)}}}
