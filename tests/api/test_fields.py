"""Every resource has every field its clients read."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from house import House

from .fields import FIELDS, NESTED

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def _is_complete(resource: str, item: dict[str, Any]) -> None:
    missing = FIELDS[resource] - item.keys()
    assert not missing, f"{resource} lacks {missing}"
    for field, keys in NESTED.get(resource, {}).items():
        assert item[field] is not None and keys <= item[field].keys(), f"{resource}.{field} is {item[field]}"
    if "id" in FIELDS[resource]:
        UUID(item["id"])
    for field in ("created_at", "updated_at"):
        if field in FIELDS[resource]:
            assert _TIME.match(item[field]), item[field]


ANSWERS = (
    ("account", "/account"),
    ("app", "/apps/full"),
    ("app", "/apps"),
    ("app", "/users/~/apps"),
    ("formation", "/apps/full/formation"),
    ("formation", "/apps/full/formation/web"),
    ("dyno", "/apps/full/dynos"),
    ("dyno", "/apps/full/dynos/web.1"),
    ("dyno_size", "/dyno-sizes"),
    ("dyno_size", "/dyno-sizes/standard-1x"),
    ("release", "/apps/full/releases/2"),
    ("release", "/apps/full/releases/v2"),
    ("build", "/apps/full/builds"),
    ("collaborator", "/apps/full/collaborators"),
    ("collaborator", "/apps/full/collaborators/owner@example.com"),
    ("domain", "/apps/full/domains"),
    ("domain", "/apps/full/domains/full.localhost"),
    ("authorization", "/oauth/authorizations"),
    ("region", "/regions"),
    ("region", "/regions/us"),
    ("stack", "/stacks"),
    ("stack", "/stacks/host"),
)


async def test_every_answer_has_every_field(house: House) -> None:
    await house.create("full")
    await house.deploy("full")
    await house.settle("full")
    for resource, path in ANSWERS:
        answer = await house.client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        items = answer.json() if isinstance(answer.json(), list) else [answer.json()]
        assert items
        for item in items:
            _is_complete(resource, item)


async def test_created_things_are_answered_whole(house: House) -> None:
    app = await house.client.post("/apps", json={})
    assert app.status_code == 201
    _is_complete("app", app.json())
    name = app.json()["name"]
    slug = await house.client.post(f"/apps/{name}/slugs", json={"process_types": {"web": "serve"}})
    assert slug.status_code == 201
    _is_complete("slug", slug.json())
    session = await house.client.post(f"/apps/{name}/log-sessions", json={"lines": 10, "tail": False})
    assert session.status_code == 201
    _is_complete("log_session", session.json())
    domain = await house.client.post(f"/apps/{name}/domains", json={"hostname": "www.example.org"})
    assert domain.status_code == 201
    _is_complete("domain", domain.json())
    assert domain.json()["cname"] == f"{name}.localhost"
    authorization = await house.client.post("/oauth/authorizations", json={"description": "x", "expires_in": 60})
    assert authorization.status_code == 201
    _is_complete("authorization", authorization.json())
