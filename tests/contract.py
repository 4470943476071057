"""Holds answers to the API's own OpenAPI document: an unknown route, status or field fails the test that got it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from senryu.api.front_door import all_routes
from senryu.api.openapi import document

_NOWHERE = {404: "The requested API endpoint was not found.", 405: "This method is not allowed here."}


@cache
def openapi() -> dict[str, Any]:
    """The document."""
    return document(all_routes(), version="0")


@cache
def _places() -> list[tuple[str, str, re.Pattern[str]]]:
    """Method, path and pattern of every operation; those with fewer parameters first, as they are more particular."""
    greedy = {re.sub(r":path\}", "}", path) for _, path, _ in all_routes() if ":path}" in path}
    found = []
    for path, operations in openapi()["paths"].items():
        parameter = "(.+)" if path in greedy else "([^/]+)"
        pattern = re.compile("".join(parameter if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", path)))
        found += [(method.upper(), path, pattern) for method in operations]
    return sorted(found, key=lambda place: (place[1].count("{"), -len(place[1])))


def operation_of(method: str, path: str) -> str | None:
    """The document's path for a request, None when there is none."""
    return next((known for wanted, known, pattern in _places() if wanted == method and pattern.fullmatch(path)), None)


@cache
def _validator(method: str, path: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    response = openapi()["paths"][path][method.lower()]["responses"].get(str(status))
    assert response is not None, f"{method} {path} answers {status}, which its description does not know"
    if "$ref" in response:
        response = openapi()["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    content = response.get("content", {}).get("application/json")
    if content is None:
        return None
    schema = {**content["schema"], "components": openapi()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def hold(method: str, path: str, status: int, media: str, content: bytes) -> None:
    """Fails unless the answer to a request is as described. `path` is percent-encoded as it was sent, without a query."""
    known = operation_of(method, path)
    if known is None:
        said = json.loads(content or b"{}")
        assert status in (404, 405, 400), f"{method} {path} answers {status} and is not described"
        assert {"id", "message"} <= said.keys(), f"{method} {path}: {said}"
        return
    # A page tells its failures as a page.
    is_page = media.startswith("text/html") and "text/html" in str(openapi()["paths"][known][method.lower()]["responses"])
    if status == 304 or is_page:
        return
    validator = _validator(method, known, status)
    if validator is None:
        return
    problems = [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in validator.iter_errors(json.loads(content))]
    assert not problems, f"{method} {path} ({status}) is not as described: {problems[:5]}\n{content[:600]!r}"


async def hold_answer(answer: httpx.Response) -> None:
    """A hook for clients of the house."""
    content = await answer.aread()
    path = answer.request.url.raw_path.decode("latin-1").partition("?")[0]
    hold(answer.request.method, path, answer.status_code, answer.headers.get("content-type", ""), content)
