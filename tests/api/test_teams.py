"""Teams: who may do what by role and permission, and how apps change hands."""

from __future__ import annotations

from typing import Any

import pytest

from house import House, Person
from senryu.core.permission import EVERY, USUAL, Permission, needed, permissions_in
from senryu.core.team import Role

VIEW, DEPLOY, OPERATE, MANAGE = Permission.VIEW, Permission.DEPLOY, Permission.OPERATE, Permission.MANAGE


@pytest.mark.parametrize(
    ("role", "is_locked", "given", "held"),
    [
        (Role.ADMIN, True, None, EVERY),
        (Role.MEMBER, False, None, {VIEW}),
        (Role.MEMBER, True, None, set()),
        (Role.MEMBER, True, USUAL, USUAL),
        (Role.VIEWER, False, None, {VIEW}),
        (Role.VIEWER, False, {DEPLOY}, {VIEW, DEPLOY}),
        (Role.COLLABORATOR, False, None, set()),
        (Role.COLLABORATOR, True, {VIEW, OPERATE}, {VIEW, OPERATE}),
        (None, False, USUAL, set()),
    ],
)
def test_permissions_follow_from_the_role_and_from_what_was_given(
    role: Role | None, is_locked: bool, given: Any, held: set[Permission]
) -> None:
    assert permissions_in(role, is_locked=is_locked, given=frozenset(given) if given is not None else None) == held


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        ("GET /apps/x", VIEW),
        ("GET /apps/x/releases/3", VIEW),
        ("GET /apps/x/config-vars", DEPLOY),
        ("GET /apps/x/releases/3/config-vars", DEPLOY),
        ("GET /apps/x/slugs/1", DEPLOY),
        ("POST /apps/x/builds", DEPLOY),
        ("POST /apps/x/releases", DEPLOY),
        ("PATCH /apps/x", OPERATE),
        ("PATCH /apps/x/formation", OPERATE),
        ("POST /apps/x/log-sessions", OPERATE),
        ("GET /apps/x/log-drains", OPERATE),
        ("DELETE /apps/x/collaborators/y", VIEW),
        ("DELETE /teams/apps/x/collaborators/y", VIEW),
        ("GET /client/v11/apps/x/transfers", VIEW),
    ],
)
def test_each_call_needs_a_permission(call: str, permission: Permission) -> None:
    assert needed(*call.split()) is permission


async def _team(house: House, **roles: str) -> dict[str, Person]:
    """The owner's team `acme` with an app `acme-app`, and people in it."""
    assert (await house.client.post("/teams", json={"name": "acme"})).status_code == 201
    made = await house.client.post("/teams/apps", json={"team": "acme", "name": "acme-app"})
    assert made.status_code == 201, made.text
    people = {}
    for name, role in roles.items():
        people[name] = await house.person(f"{name}@example.com")
        put = await house.client.put("/teams/acme/members", json={"email": f"{name}@example.com", "role": role})
        assert (put.status_code, put.json()["role"]) == (200, role)
    return people


async def test_a_team_owns_apps_and_shows_itself_as_their_owner(house: House) -> None:
    await _team(house)
    app = (await house.client.get("/apps/acme-app")).json()
    assert app["owner"]["email"] == "acme@herokumanager.com"
    assert app["team"]["name"] == "acme"
    assert [each["name"] for each in (await house.client.get("/teams/acme/apps")).json()] == ["acme-app"]
    assert (await house.client.get("/users/~/apps")).json() == []
    assert [each["name"] for each in (await house.client.get("/apps")).json()] == ["acme-app"]
    [team] = (await house.client.get("/teams")).json()
    assert (team["name"], team["role"]) == ("acme", "admin")


async def test_each_role_reaches_as_far_as_it_may(house: House) -> None:
    people = await _team(house, adm="admin", mem="member", vie="viewer", col="collaborator")
    await house.client.post("/teams/apps/acme-app/collaborators", json={"user": "col@example.com", "permissions": ["deploy"]})
    calls = (
        ("GET", "/apps/acme-app", None),
        ("GET", "/apps/acme-app/config-vars", None),
        ("PATCH", "/apps/acme-app", {"maintenance": False}),
        ("PATCH", "/apps/acme-app", {"name": "acme-app"}),
        ("GET", "/teams/acme/members", None),
        ("PUT", "/teams/acme/members", {"email": "mem@example.com", "role": "member"}),
    )
    reader = [200, 403, 403, 403, 200, 403]
    allowed = {"adm": [200] * 6, "mem": reader, "vie": reader, "col": [200, 200, 403, 403, 403, 403]}
    for name, wanted in allowed.items():
        answers = [(await people[name].client.request(method, path, json=body)).status_code for method, path, body in calls]
        assert answers == wanted, name
    stranger = await house.person("stranger@example.com")
    assert [(await stranger.client.request(method, path, json=body)).status_code for method, path, body in calls] == [404] * 6


async def test_members_join_and_leave_apps_that_are_not_locked(house: House) -> None:
    people = await _team(house, mem="member", vie="viewer")
    member, own = people["mem"].client, {"user": "mem@example.com"}
    assert (await people["vie"].client.post("/teams/apps/acme-app/collaborators", json={"user": "vie@example.com"})).status_code == 403
    assert (await member.post("/teams/apps/acme-app/collaborators", json={"user": "vie@example.com"})).status_code == 403
    joined = await member.post("/teams/apps/acme-app/collaborators", json={**own, "permissions": ["manage"]})
    assert {each["name"] for each in joined.json()["permissions"]} == {"view", "deploy", "operate"}
    assert (await member.get("/apps/acme-app/config-vars")).status_code == 200
    assert (await member.get("/teams/apps/acme-app")).json()["joined"] is True
    assert (await member.delete("/apps/acme-app/collaborators/mem@example.com")).status_code == 200
    locked = await house.client.patch("/teams/apps/acme-app", json={"locked": True})
    assert locked.json()["locked"] is True
    assert (await member.get("/apps/acme-app")).status_code == 404
    assert (await member.get("/apps")).json() == []
    assert (await member.post("/teams/apps/acme-app/collaborators", json=own)).status_code == 404


async def test_permissions_of_a_collaborator_are_changed(house: House) -> None:
    people = await _team(house, col="collaborator")
    client = people["col"].client
    added = await house.client.post("/teams/apps/acme-app/collaborators", json={"user": "col@example.com", "permissions": ["view"]})
    assert added.status_code == 201
    assert (await client.patch("/apps/acme-app", json={"maintenance": False})).status_code == 403
    path = "/teams/apps/acme-app/collaborators/col@example.com"
    changed = await house.client.patch(path, json={"permissions": ["operate"]})
    assert [each["name"] for each in changed.json()["permissions"]] == ["operate", "view"]
    assert (await client.patch("/apps/acme-app", json={"maintenance": False})).status_code == 200
    for wrong in (["fly"], "deploy", None, [1, {}], 3):
        assert (await house.client.patch(path, json={"permissions": wrong})).status_code in (200, 422), wrong
    assert (await house.client.patch(path, json={"permissions": ["fly"]})).status_code == 422
    await house.create("personal")
    assert (await house.client.patch("/teams/apps/personal/collaborators/col@example.com", json={"permissions": []})).status_code == 422


async def test_a_member_who_makes_an_app_manages_it(house: House) -> None:
    people = await _team(house, mem="member", vie="viewer")
    assert (await people["mem"].client.post("/teams/apps", json={"team": "acme", "name": "mem-app"})).status_code == 201
    assert (await people["mem"].client.delete("/apps/mem-app")).status_code == 200
    assert (await people["vie"].client.post("/teams/apps", json={"team": "acme"})).status_code == 403


async def test_a_team_keeps_an_admin_and_goes_when_it_owns_nothing(house: House) -> None:
    await _team(house, mem="member")
    for wrong in (
        await house.client.delete("/teams/acme/members/owner@example.com"),
        await house.client.patch("/teams/acme/members", json={"email": "owner@example.com", "role": "member"}),
        await house.client.patch("/teams/acme/members", json={"email": "mem@example.com", "role": "emperor"}),
        await house.client.delete("/teams/acme"),
        await house.client.post("/teams", json={"name": "acme"}),
        await house.client.post("/teams", json={"name": "apps"}),
        await house.client.put("/teams/acme/invitations", json={"email": "x@example.com", "role": "member"}),
    ):
        assert wrong.status_code == 422, wrong.text
    missing = await house.client.put("/teams/acme/members", json={"email": "nobody@example.com", "role": "member"})
    assert missing.status_code == 404
    await house.client.delete("/apps/acme-app")
    assert (await house.client.patch("/teams/acme", json={"name": "umbrella"})).json()["name"] == "umbrella"
    assert (await house.client.delete("/teams/umbrella")).status_code == 200
    assert (await house.client.get("/teams")).json() == []


async def test_who_leaves_a_team_loses_its_apps(house: House) -> None:
    people = await _team(house, mem="member", oth="member")
    member = people["mem"].client
    await member.post("/teams/apps/acme-app/collaborators", json={"user": "mem@example.com"})
    assert (await people["oth"].client.delete("/teams/acme/members/mem@example.com")).status_code == 403
    assert (await member.delete("/teams/acme/members/mem@example.com")).status_code == 200
    assert (await member.get("/apps/acme-app")).status_code == 404
    assert [each["role"] for each in (await house.client.get("/apps/acme-app/collaborators")).json()] == ["owner"]


async def test_an_app_goes_to_a_team_and_back_to_a_person(house: House) -> None:
    people = await _team(house, mem="member")
    await house.person("guest@example.com")
    await house.create("moving")
    await house.client.post("/apps/moving/collaborators", json={"user": "guest@example.com"})
    moved = await house.client.patch("/teams/apps/moving", json={"owner": "acme"})
    assert (moved.status_code, moved.json()["team"]["name"]) == (200, "acme")
    roles = {each["email"]: each["role"] for each in (await house.client.get("/teams/acme/members")).json()}
    assert roles["guest@example.com"] == "collaborator"
    assert (await house.client.patch("/teams/apps/moving", json={"owner": "stranger@example.com"})).status_code == 404
    assert (await people["mem"].client.patch("/teams/apps/moving", json={"owner": "mem@example.com"})).status_code == 403
    back = await house.client.patch("/teams/apps/moving", json={"owner": "mem@example.com"})
    assert (back.status_code, back.json()["owner"]["email"], back.json()["team"]) == (200, "mem@example.com", None)
    assert (await house.client.get("/apps/moving")).status_code == 404
    assert (await people["mem"].client.get("/apps/moving")).status_code == 200


async def test_an_app_is_offered_to_a_person_who_accepts(house: House) -> None:
    friend = await house.person("friend@example.com")
    await house.create("gift")
    offered = await house.client.post("/account/app-transfers", json={"app": "gift", "recipient": "friend@example.com"})
    assert (offered.status_code, offered.json()["state"]) == (201, "pending")
    path = f"/account/app-transfers/{offered.json()['id']}"
    assert (await house.client.post("/account/app-transfers", json={"app": "gift", "recipient": "friend@example.com"})).status_code == 422
    assert (await house.client.patch(path, json={"state": "accepted"})).status_code == 403
    assert (await house.operator.client.get(path)).status_code == 404
    assert (await friend.client.patch("/account/app-transfers/gift", json={"state": "accepted"})).json()["state"] == "accepted"
    assert (await friend.client.patch(path, json={"state": "accepted"})).status_code == 422
    assert (await friend.client.get("/apps/gift")).json()["owner"]["email"] == "friend@example.com"
    assert (await house.client.get("/apps/gift")).status_code == 404
    assert [each["state"] for each in (await house.client.get("/account/app-transfers")).json()] == ["accepted"]


async def test_an_offer_is_declined_or_taken_back(house: House) -> None:
    friend = await house.person("friend@example.com")
    await house.create("gift")
    body = {"app": "gift", "recipient": "friend@example.com"}
    await house.client.post("/account/app-transfers", json=body)
    assert (await friend.client.delete("/account/app-transfers/gift")).status_code == 403
    assert (await friend.client.patch("/account/app-transfers/gift", json={"state": "declined"})).json()["state"] == "declined"
    await house.client.post("/account/app-transfers", json=body)
    assert (await house.client.delete("/account/app-transfers/gift")).status_code == 200
    assert (await house.client.get("/apps/gift")).status_code == 200
    for wrong in ({}, {"app": "gift"}, {**body, "recipient": "nobody@example.com"}, {**body, "recipient": "owner@example.com"}):
        assert (await house.client.post("/account/app-transfers", json=wrong)).status_code in (404, 422)
