"""The API's own description has all that Heroku's published schema lists; the answers are held to that description everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract import hold, openapi, operation_of
from house import House
from senryu.api.front_door import all_routes
from senryu.api.openapi.notation import schema
from senryu.api.openapi.operations import operations

from .published import DEVIATIONS, PUBLISHED

_MISSING = {"oauth-token": "the OAuth web flow is described with its own routes"}


def _open(found: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema without its null, and whether it may be null."""
    if "anyOf" in found:
        kinds = [each for each in found["anyOf"] if each.get("type") != "null"]
        return kinds[0], len(kinds) < len(found["anyOf"])
    if isinstance(found.get("type"), list):
        return {**found, "type": found["type"][0]}, True
    return found, False


def _differences(path: str, published: dict[str, Any], own: dict[str, Any]) -> list[str]:
    wanted, may_be_null = _open(published)
    given, is_nullable = _open(own)
    found = [f"{path} may be null"] if is_nullable and not may_be_null else []
    if wanted.get("type") == "object":
        for name, each in wanted.get("properties", {}).items():
            if given.get("properties") is None:
                break  # always null here
            if name not in given["properties"] or name not in given["required"]:
                found.append(f"{path}.{name} is missing")
            else:
                found += _differences(f"{path}.{name}", each, given["properties"][name])
    elif wanted.get("type") == "array":
        found += _differences(f"{path}[]", wanted["items"], given["items"])
    elif "enum" in wanted and not set(given.get("enum", ["anything"])) <= set(wanted["enum"]):
        found.append(f"{path} is one of {given.get('enum')}")
    elif "type" in wanted and given["type"] not in (wanted["type"], "integer" if wanted["type"] == "number" else ""):
        found.append(f"{path} is {given['type']}, not {wanted['type']}")
    return found


@pytest.mark.parametrize("resource", PUBLISHED)
def test_a_resource_has_every_field_that_is_published_with_its_kind(resource: str) -> None:
    own = openapi()["components"]["schemas"].get(resource)
    if own is None:
        assert resource in _MISSING
        return
    found = _differences(resource, schema(PUBLISHED[resource], strict=True), own)
    assert [each for each in found if each.split()[0] not in DEVIATIONS] == []


def test_the_description_names_every_route_and_no_other() -> None:
    assert operations().keys() == {f"{method} {path}" for method, path, _ in all_routes()}


async def test_the_description_is_published_and_whole(house: House) -> None:
    for path in ("/openapi.json", "/schema"):
        told = (await house.anyone().get(path)).json()
        assert told["openapi"] == "3.1.0"
        assert told["paths"].keys() == openapi()["paths"].keys()
    ids = [each["operationId"] for operations in told["paths"].values() for each in operations.values()]
    assert len(ids) == len(set(ids)) > 100
    text = json.dumps(told)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in told["components"]["schemas"]


@pytest.mark.parametrize(
    ("method", "path", "status", "content"),
    [
        ("GET", "/account/rate-limits", 200, {"remaining": "many"}),
        ("GET", "/account/rate-limits", 200, {"remaining": 1, "more": 2}),
        ("GET", "/account/rate-limits", 200, {}),
        ("GET", "/account/rate-limits", 201, {"remaining": 1}),
        ("GET", "/account/rate-limits", 500, {"id": "x", "message": "x"}),
        ("GET", "/nowhere", 200, {}),
        ("GET", "/apps/x", 404, {"error": "no"}),
    ],
)
def test_an_answer_that_is_not_as_described_fails_the_test(method: str, path: str, status: int, content: Any) -> None:
    with pytest.raises(AssertionError):
        hold(method, path, status, "application/json", json.dumps(content).encode())
    hold("GET", "/account/rate-limits", 200, "application/json", b'{"remaining": 1}')


def test_a_path_is_found_by_its_most_particular_pattern() -> None:
    assert operation_of("GET", "/teams/apps") == "/teams/apps"
    assert operation_of("GET", "/teams/acme/apps") == "/teams/{team}/apps"
    assert operation_of("DELETE", "/apps/x/log-drains/https%3A%2F%2Fx%2Fy") == "/apps/{app}/log-drains/{drain}"
    assert operation_of("DELETE", "/nowhere") is None
