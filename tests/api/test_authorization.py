"""The authorization matrix against the real application, and what scopes and signed addresses allow."""

from __future__ import annotations

import base64

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route

from house import House
from senryu.api.auth import permits
from senryu.api.front_door import ROUTERS, _own

from .matrix import MATRIX, PEOPLE, REFUSALS, Row
from .reach import NARROWEST, PERMISSION, SCOPES_FROM


def test_every_route_of_the_application_is_in_the_matrix() -> None:
    routes = {
        (method, route.path)
        for router in (*ROUTERS, _own)
        for route in router.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert routes == {(row.method, row.route) for row in MATRIX}
    assert len(routes) > 60


@pytest_asyncio.fixture
async def people(house: House) -> dict[str, httpx.AsyncClient]:
    """Clients of everyone, and the app `shared` of the owner with its collaborator."""
    await house.create("shared")
    guests = {who: (await house.person(f"{who}@example.com")).client for who in ("collaborator", "stranger")}
    await house.client.post("/apps/shared/collaborators", json={"user": "collaborator@example.com"})
    expired = await house.person("expired@example.com", expires_in_s=60)
    revoked = await house.person("revoked@example.com")
    assert (await revoked.client.delete("/oauth/sessions/~")).status_code == 200
    house.clock.advance(61)
    return {
        "owner": house.client,
        "operator": house.operator.client,
        "nobody": house.anyone(),
        "bad token": house.anyone("HRKU-no-such-token"),
        "expired token": expired.client,
        "revoked token": revoked.client,
        **guests,
    }


def _expected(row: Row, who: str) -> int:
    return REFUSALS[row.kind].get(who, row.answer)


@pytest.mark.parametrize("who", PEOPLE)
async def test_everyone_gets_what_the_matrix_says(house: House, people: dict[str, httpx.AsyncClient], who: str) -> None:
    await house.deploy("shared")
    await house.settle("shared")
    client = people[who]
    wrong = []
    for row in MATRIX:
        answer = await client.request(row.method, row.path, json=row.body)
        if answer.status_code != _expected(row, who):
            wrong.append(f"{row.method} {row.path}: {answer.status_code} instead of {_expected(row, who)}: {answer.text[:200]}")
        if answer.status_code >= 400:
            assert {"id", "message"} <= answer.json().keys()
    assert not wrong, "\n".join(wrong)


TEAM: dict[str, tuple[str | None, list[str] | None, set[str]]] = {
    "admin": ("admin", None, {"view", "deploy", "operate", "manage"}),
    "member": ("member", None, {"view"}),
    "member who joined": ("member", ["deploy", "operate"], {"view", "deploy", "operate"}),
    "viewer": ("viewer", None, {"view"}),
    "collaborator who deploys": (None, ["deploy"], {"view", "deploy"}),
    "collaborator who operates": (None, ["operate"], {"view", "operate"}),
    "collaborator who manages": (None, ["manage", "deploy", "operate"], {"view", "deploy", "operate", "manage"}),
}


def _expected_in_team(row: Row, held: set[str]) -> int:
    if row.kind in ("member", "owner"):
        return row.answer if PERMISSION[f"{row.method} {row.route}"] in held and (row.kind == "member" or "manage" in held) else 403
    return REFUSALS[row.kind].get("stranger", row.answer)


@pytest.mark.parametrize("who", TEAM)
async def test_every_role_of_a_team_gets_what_the_matrix_says(house: House, who: str) -> None:
    await house.client.post("/teams", json={"name": "acme"})
    assert (await house.client.post("/teams/apps", json={"name": "shared", "team": "acme"})).status_code == 201
    role, given, held = TEAM[who]
    person = await house.person("somebody@example.com")
    await house.person("stranger@example.com")
    if role:
        await house.client.put("/teams/acme/members", json={"email": "somebody@example.com", "role": role})
    if given:
        body = {"user": "somebody@example.com", "permissions": given}
        assert (await house.client.post("/teams/apps/shared/collaborators", json=body)).status_code == 201
    await house.deploy("shared")
    await house.settle("shared")
    wrong = []
    for row in MATRIX:
        path = row.path.replace("collaborators/owner@example.com", "collaborators/acme@herokumanager.com")
        answer = await person.client.request(row.method, path, json=row.body)
        if answer.status_code != _expected_in_team(row, held):
            wrong.append(f"{row.method} {path}: {answer.status_code} instead of {_expected_in_team(row, held)}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def test_every_route_says_which_permission_and_which_scope_it_needs() -> None:
    assert PERMISSION.keys() == {f"{row.method} {row.route}" for row in MATRIX}
    assert set(PERMISSION.values()) == {"-", "view", "deploy", "operate", "manage"}
    for row in MATRIX:
        assert (PERMISSION[f"{row.method} {row.route}"] == "-") == (row.kind not in ("member", "owner")), row.route


@pytest.mark.parametrize("scope", [scope for scope in SCOPES_FROM if scope != "global"])
async def test_a_token_reaches_as_far_as_its_scope(house: House, scope: str) -> None:
    await house.create("shared")
    await house.deploy("shared")
    await house.settle("shared")
    made = await house.client.post("/oauth/authorizations", json={"scope": [scope]})
    narrow = house.anyone(made.json()["access_token"]["token"])
    wrong = []
    for row in MATRIX:
        narrowest = NARROWEST[f"{row.method} {row.route}"]
        if narrowest == "-" or scope in SCOPES_FROM[narrowest]:
            continue
        header = made.json()["access_token"]["token"]
        client = house.anyone(header=_basic("shared", header)) if row.route.startswith("/api/v2") else narrow
        answer = await client.request(row.method, row.path, json=row.body)
        if answer.status_code != 403 or "scope" not in answer.json()["message"]:
            wrong.append(f"{row.method} {row.path}: {answer.status_code} with the scope {scope}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    # What it does reach is not refused for its scope.
    for row in MATRIX:
        narrowest = NARROWEST[f"{row.method} {row.route}"]
        if row.method == "GET" and narrowest != "-" and scope in SCOPES_FROM[narrowest] and not row.route.startswith("/api/v2"):
            answer = await narrow.request(row.method, row.path)
            assert answer.status_code == row.answer or answer.status_code == 404, (row.path, answer.text)


def _basic(user: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


async def test_an_app_one_may_not_know_of_looks_like_one_there_is_not(house: House, people: dict[str, httpx.AsyncClient]) -> None:
    await house.deploy("shared")
    id = (await house.client.get("/apps/shared")).json()["id"]
    for row in MATRIX:
        if row.kind not in ("member", "owner"):
            continue
        answers = []
        for name in ("shared", id, "no-such-app", "00000000-0000-4000-8000-000000000000"):
            answer = await people["stranger"].request(row.method, row.path.replace("shared", name, 1), json=row.body)
            answers.append((answer.status_code, answer.text.replace(name, "NAME")))
        assert len(set(answers)) == 1, (row.path, answers)


async def test_things_of_one_app_cannot_be_reached_under_another(house: House) -> None:
    await house.create("mine-app")
    theirs = await house.person("them@example.com")
    await theirs.client.post("/apps", json={"name": "their-app"})
    build, _ = await house.deploy("mine-app")
    release = (await house.client.get("/apps/mine-app/releases/2")).json()
    domain = (await house.client.post("/apps/mine-app/domains", json={"hostname": "www.example.org"})).json()
    dyno = (await house.client.get("/apps/mine-app/dynos/web.1")).json()
    for method, path, body in (
        ("GET", f"/apps/their-app/builds/{build['id']}", None),
        ("DELETE", f"/apps/their-app/builds/{build['id']}", None),
        ("GET", f"/apps/their-app/slugs/{build['slug']['id']}", None),
        ("GET", f"/apps/their-app/releases/{release['id']}", None),
        ("GET", f"/apps/their-app/releases/{release['id']}/config-vars", None),
        ("POST", "/apps/their-app/releases", {"release": release["id"]}),
        ("POST", "/apps/their-app/releases", {"slug": build["slug"]["id"]}),
        ("DELETE", f"/apps/their-app/domains/{domain['id']}", None),
        ("GET", f"/apps/their-app/dynos/{dyno['id']}", None),
        ("POST", f"/apps/their-app/dynos/{dyno['id']}", {"command": "bash"}),
        ("DELETE", f"/apps/their-app/dynos/{dyno['id']}", None),
    ):
        assert (await theirs.client.request(method, path, json=body)).status_code == 404, path
    own = (await house.client.get("/oauth/authorizations")).json()[0]["id"]
    for method in ("GET", "PATCH", "DELETE"):
        assert (await theirs.client.request(method, f"/oauth/authorizations/{own}", json={})).status_code == 404


async def test_fields_nobody_may_choose_are_not_taken(house: House) -> None:
    await house.person("stranger@example.com")
    body = {"name": "massive", "owner": "stranger@example.com", "id": "x", "is_operator": True}
    made = await house.client.post("/apps", json=body)
    assert made.json()["owner"]["email"] == "owner@example.com"
    changed = await house.client.patch("/apps/massive", json={"owner": "stranger@example.com"})
    assert changed.json()["owner"]["email"] == "owner@example.com"
    assert (await house.client.patch("/account", json={"is_operator": True, "email": "x@y.test"})).json()["is_operator"] is False
    assert (await house.client.get("/account")).json()["email"] == "owner@example.com"


async def test_a_collaborator_may_leave_and_is_out_at_once(house: House, people: dict[str, httpx.AsyncClient]) -> None:
    guest = people["collaborator"]
    for path in ("/apps", "/users/~/apps"):
        assert [app["name"] for app in (await guest.get(path)).json()] == ["shared"]
    assert (await guest.delete("/apps/shared/collaborators/collaborator@example.com")).status_code == 200
    assert (await guest.get("/apps/shared")).status_code == 404
    assert (await house.client.delete("/apps/shared/collaborators/owner@example.com")).status_code == 422


async def test_an_access_can_be_taken_away_by_the_accounts_id(house: House, people: dict[str, httpx.AsyncClient]) -> None:
    id = (await people["collaborator"].get("/account")).json()["id"]
    assert (await house.client.delete(f"/apps/shared/collaborators/{id}")).status_code == 200
    assert (await people["collaborator"].get("/apps/shared")).status_code == 404


SCOPES: dict[str, tuple[str, ...]] = {
    "GET /account": ("identity", "read", "write", "read-protected", "write-protected"),
    "GET /apps": ("read", "write", "read-protected", "write-protected"),
    "POST /apps": ("write", "write-protected"),
    "GET /apps/a/config-vars": ("read-protected", "write-protected"),
    "PATCH /apps/a/config-vars": ("write-protected",),
    "GET /apps/a/releases": ("read-protected", "write-protected"),
    "POST /apps/a/releases": ("write-protected",),
    "POST /apps/a/dynos": ("write-protected",),
    "DELETE /apps/a/dynos": ("write", "write-protected"),
    "POST /apps/a/builds": ("write", "write-protected"),
    "PATCH /account": (),
    "POST /oauth/authorizations": (),
    "GET /oauth/authorizations": (),
    "POST /senryu/invitations": (),
    "DELETE /oauth/sessions/~": ("identity", "read", "write", "read-protected", "write-protected"),
}


@pytest.mark.parametrize("call", SCOPES)
def test_a_scope_reaches_as_far_as_heroku_says(call: str) -> None:
    method, path = call.split()
    every = ("identity", "read", "write", "read-protected", "write-protected")
    assert tuple(scope for scope in every if permits((scope,), method, path)) == SCOPES[call]
    assert permits(("global",), method, path)
    assert not permits((), method, path) or path in ("/account", "/oauth/sessions/~")


async def test_a_narrow_token_cannot_make_itself_a_wider_one(house: House) -> None:
    made = await house.client.post("/oauth/authorizations", json={"scope": ["read"]})
    narrow = house.anyone(made.json()["access_token"]["token"])
    assert (await narrow.get("/apps")).status_code == 200
    for method, path in (("POST", "/apps"), ("POST", "/oauth/authorizations"), ("GET", "/oauth/authorizations"), ("PATCH", "/account")):
        answer = await narrow.request(method, path, json={})
        assert (answer.status_code, answer.json()["id"]) == (403, "forbidden"), path


async def test_signed_addresses_are_good_for_one_thing_and_one_method_and_end(house: House) -> None:
    await house.create("signed")
    blob = (await house.client.post("/sources")).json()["source_blob"]
    anyone = house.anyone()
    token = blob["get_url"].rsplit("/", 1)[1]
    assert (await anyone.put(f"/senryu/sources/{token}", content=b"x")).status_code == 404
    assert (await anyone.get(f"/senryu/streams/{token}")).status_code == 404
    good = blob["put_url"].rsplit("/", 1)[1]
    id, expires, signature = good.split(".")
    for forged in (f"{id}.{int(expires) + 1}.{signature}", f"{id}.{expires}.{signature[:-1]}", f"{id}.{expires}", f"{id}.{expires}.é"):
        assert (await anyone.put(f"/senryu/sources/{forged}", content=b"x")).status_code == 404
    assert (await anyone.put(blob["put_url"], content=b"x")).status_code == 200
    house.clock.advance(3601)
    assert (await anyone.put(blob["put_url"], content=b"x")).status_code == 404
