"""What each resource does when it is asked properly, and what it says when it is not."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from house import House, eventually, tarball
from senryu.core.limits import CONFIG_VARS_MAX_BYTES
from senryu.core.log_line import LogLine


def _refused(answer: Any, status: int, id: str = "") -> str:
    assert answer.status_code == status, answer.text
    assert not id or answer.json()["id"] == id
    message = answer.json()["message"]
    assert message
    assert "Traceback" not in message
    return str(message)


# --- apps ---------------------------------------------------------------------------------------------------------------------------------


async def test_an_app_without_a_name_gets_two_words_and_a_number(house: House) -> None:
    made = (await house.client.post("/apps")).json()
    first, second, number = made["name"].split("-")
    assert first.isalpha() and second.isalpha() and number.isdigit()
    assert made["web_url"] == f"http://{made['name']}.localhost:8080/"
    assert made["git_url"].endswith(f"/{made['name']}.git")


async def test_a_bad_name_is_refused_in_one_sentence(house: House) -> None:
    for name in ("Upper", "1digit", "-dash", "dash-", "a", "x" * 31, "under_score", "dot.dot", "api", "git", "new\n", "ünï"):
        assert "ame `" in _refused(await house.client.post("/apps", json={"name": name}), 422, "invalid_params")


async def test_a_renamed_app_answers_to_its_new_name_and_the_old_one_is_free(house: House) -> None:
    app = await house.create("before")
    answer = await house.client.patch("/apps/before", json={"name": "after"})
    assert (answer.json()["name"], answer.json()["id"]) == ("after", app["id"])
    assert (await house.client.get("/apps/before")).status_code == 404
    assert (await house.client.get(f"/apps/{app['id']}")).json()["name"] == "after"
    await house.create("before")
    _refused(await house.client.patch("/apps/before", json={"name": "after"}), 422)

    async def route_follows() -> bool:
        route = await house.router.route_of("after")
        return route is not None and "after.localhost" in route.hosts

    await eventually(route_follows)


async def test_an_unknown_stack_is_refused_with_those_there_are(house: House) -> None:
    assert "host" in _refused(await house.client.post("/apps", json={"name": "stacked", "stack": "cedar-99"}), 422)


async def test_an_imported_stack_can_be_chosen_for_the_next_build(house: House) -> None:
    await house.create("stacked")
    imported = await house.operator.client.post("/senryu/stacks", json={"name": "bookworm", "source": "/srv/bookworm"})
    assert imported.status_code == 201
    assert {stack["name"] for stack in (await house.client.get("/stacks")).json()} == {"bookworm", "host"}
    answer = await house.client.patch("/apps/stacked", json={"build_stack": "bookworm"})
    assert (answer.json()["stack"]["name"], answer.json()["build_stack"]["name"]) == ("host", "bookworm")
    assert answer.json()["build_stack"]["id"] == imported.json()["id"]
    await house.deploy("stacked")
    assert (await house.client.get("/apps/stacked")).json()["stack"]["name"] == "bookworm"


# --- config vars --------------------------------------------------------------------------------------------------------------------------


async def test_config_vars_are_set_changed_and_removed_and_all_are_answered(house: House) -> None:
    await house.create("conf")
    assert (await house.set("conf", A="1", B="zwei\nü")).json() == {"A": "1", "B": "zwei\nü"}
    assert (await house.set("conf", A=None, C="")).json() == {"B": "zwei\nü", "C": ""}
    assert (await house.client.get("/apps/conf/config-vars")).json() == {"B": "zwei\nü", "C": ""}
    assert (await house.client.get("/apps/conf/releases/2/config-vars")).json() == {"A": "1", "B": "zwei\nü"}


async def test_a_change_that_changes_nothing_makes_no_release(house: House) -> None:
    await house.create("conf")
    await house.set("conf", A="1")
    for same in ({"A": "1"}, {"MISSING": None}, {}):
        assert (await house.client.patch("/apps/conf/config-vars", json=same)).json() == {"A": "1"}
    assert len(await house.releases("conf")) == 2


UNUSABLE: list[dict[str, Any]] = [{key: "x"} for key in ("1A", "A-B", "", "PORT", "LD_PRELOAD", "A\n", "__A", "K" * 257, "É")]
UNUSABLE += [{"A": value} for value in list[Any]((1, ["x"], "x\0", {}, True))]


async def test_a_config_var_nobody_could_use_is_refused_and_nothing_is_set(house: House) -> None:
    await house.create("conf")
    for change in UNUSABLE:
        _refused(await house.client.patch("/apps/conf/config-vars", json={"GOOD": "1", **change}), 422)
    assert (await house.client.get("/apps/conf/config-vars")).json() == {}


async def test_config_vars_have_64_kb_in_all(house: House) -> None:
    await house.create("conf")
    assert (await house.set("conf", A="x" * (CONFIG_VARS_MAX_BYTES - 1))).status_code == 200
    assert "65536" in _refused(await house.set("conf", B=""), 422)
    assert (await house.set("conf", A="ü" * (CONFIG_VARS_MAX_BYTES // 2))).status_code == 422


async def test_config_values_are_sealed_in_the_database(house: House) -> None:
    await house.create("conf")
    await house.set("conf", SECRET="only-here-in-the-open")
    folder = house.platform.settings.home / "db"
    assert b"only-here-in-the-open" not in b"".join(file.read_bytes() for file in folder.iterdir())


# --- releases -----------------------------------------------------------------------------------------------------------------------------


async def test_releases_say_which_is_current_and_where_one_can_go_back_to(house: House) -> None:
    await house.create("rel")
    await house.deploy("rel")
    await house.set("rel", A="1")
    listed = (await house.client.get("/apps/rel/releases")).json()
    assert [release["version"] for release in listed] == [1, 2, 3]
    assert [release["current"] for release in listed] == [False, False, True]
    assert [release["eligible_for_rollback"] for release in listed] == [False, True, True]
    assert [release["status"] for release in listed] == ["succeeded"] * 3
    assert listed[1]["slug"] == listed[2]["slug"] is not None
    assert listed[0]["slug"] is None
    newest = await house.client.get("/apps/rel/releases", headers={"Range": "version ..; order=desc,max=1"})
    assert newest.json()[0]["version"] == 3
    assert newest.json()[0]["user"]["email"] == "owner@example.com"


async def test_a_rollback_to_where_nothing_is_is_refused(house: House) -> None:
    await house.create("rel")
    await house.deploy("rel")
    for to, status in (("v1", 422), ("99", 404), ("not-a-release", 404), ("", 404)):
        _refused(await house.client.post("/apps/rel/releases", json={"release": to}), status)


async def test_a_release_is_found_by_version_v_version_and_id(house: House) -> None:
    await house.create("rel")
    release = (await house.client.get("/apps/rel/releases/1")).json()
    for name in ("v1", release["id"]):
        assert (await house.client.get(f"/apps/rel/releases/{name}")).json() == release
    for name in ("2", "v99999999999", "nothing", "-1", "²"):
        _refused(await house.client.get(f"/apps/rel/releases/{name}"), 404)


# --- formation and dynos ------------------------------------------------------------------------------------------------------------------


async def test_quantities_may_be_numbers_texts_and_steps(house: House) -> None:
    await house.create("form")
    await house.deploy("form", "web: serve\nworker: w")
    wanted: Any
    for wanted, expected in ((2, 2), ("3", 3), ("+1", 4), ("-2", 2), ("-9", 0)):
        answer = await house.client.patch("/apps/form/formation", json={"updates": [{"type": "worker", "quantity": wanted}]})
        assert {entry["type"]: entry["quantity"] for entry in answer.json()} == {"web": 1, "worker": expected}


WRONG_UPDATES: list[dict[str, Any]] = [{"type": "web", "quantity": quantity} for quantity in list[Any](("many", 101, -1.5, True, "++1"))]
WRONG_UPDATES += [{"type": "nothing", "quantity": 1}, {"type": "web", "size": "huge"}, {"quantity": 1}, {"type": "release", "quantity": 1}]


async def test_a_formation_nobody_can_have_is_refused_and_nothing_is_scaled(house: House) -> None:
    await house.create("form")
    house.engine.programs["true"] = _nothing
    await house.deploy("form", "web: serve\nrelease: true")
    for update in WRONG_UPDATES:
        _refused(await house.client.patch("/apps/form/formation", json={"updates": [{"type": "web", "quantity": 2}, update]}), 422)
    assert (await house.client.get("/apps/form/formation/web")).json()["quantity"] == 1


async def _nothing(_: Any) -> int:
    return 0


async def test_sizes_are_answered_in_their_proper_case(house: House) -> None:
    await house.create("form")
    await house.deploy("form")
    for typed, name in (("standard-2x", "Standard-2X"), ("2X", "Standard-2X"), ("BASIC", "Basic"), ("performance-m", "Performance-M")):
        answer = await house.client.patch("/apps/form/formation", json={"updates": [{"type": "web", "size": typed}]})
        assert answer.json()[0]["size"] == name


async def test_a_new_size_replaces_the_dynos_of_its_type(house: House) -> None:
    await house.create("form")
    await house.deploy("form")
    [old] = await house.serving("form")
    await house.client.patch("/apps/form/formation/web", json={"size": "standard-2x"})
    await eventually(lambda: old.order.id not in house.engine.running)
    await house.settle("form")
    [new] = await house.serving("form")
    assert new.order.memory_bytes == 2 * old.order.memory_bytes


async def test_stopping_a_dyno_of_the_formation_brings_another(house: House) -> None:
    await house.create("form")
    await house.deploy("form")
    [old] = await house.serving("form")
    assert (await house.client.post("/apps/form/dynos/web.1/actions/stop")).status_code == 202
    await eventually(lambda: old.order.id not in house.engine.running)
    await house.settle("form")
    _refused(await house.client.post("/apps/form/dynos/web.7/actions/stop"), 404)
    _refused(await house.client.delete("/apps/form/formations/nothing"), 404)


async def test_a_one_off_needs_code_and_a_command(house: House) -> None:
    await house.create("once")
    assert "push code first" in _refused(await house.client.post("/apps/once/dynos", json={"command": "bash"}), 422)
    await house.deploy("once")
    for body in ({}, {"command": ""}, {"command": "   "}, {"command": "x\0"}, {"command": "x" * 33_000}, {"command": "x", "size": "huge"}):
        _refused(await house.client.post("/apps/once/dynos", json=body), 422)
    _refused(await house.client.post("/apps/once/dynos", json={"command": "x", "env": {"PORT": "1"}}), 422)
    assert [dyno.order.name for dyno in house.engine.running.values()] == ["web.1"]


async def test_a_one_off_with_a_terminal_waits_for_its_client(house: House) -> None:
    await house.create("once")
    await house.deploy("once")
    env = {"TERM": "xterm", "COLUMNS": "120", "LINES": "0"}
    made = (await house.client.post("/apps/once/dynos", json={"command": "bash", "attach": True, "env": env})).json()
    assert made["attach_url"].startswith("rendezvous://localhost:9443/")
    assert made["name"].startswith("run.")
    dyno = house.engine.running[UUID(made["id"])]
    assert (dyno.order.tty, dyno.order.stdin, dyno.order.columns, dyno.order.lines) == (True, True, 120, 24)
    assert dyno.env["TERM"] == "xterm"
    assert not dyno.has_begun
    assert (await house.client.post(f"/apps/once/dynos/{made['name']}/actions/stop")).status_code == 202
    await eventually(lambda: dyno.exit_status is not None)


async def test_a_one_off_the_engine_refuses_leaves_no_record(house: House) -> None:
    await house.create("once")
    await house.deploy("once")
    house.engine.slugs = set()
    _refused(await house.client.post("/apps/once/dynos", json={"command": "bash"}), 422)
    assert [dyno.name for dyno in await house.dynos("once")] == ["web.1"]


# --- builds, sources, slugs ---------------------------------------------------------------------------------------------------------------


async def test_a_source_of_a_private_address_is_not_fetched(house: House) -> None:
    await house.create("ssrf")
    for url in ("http://127.0.0.1/x", "http://[::1]/x", "http://169.254.169.254/", "http://10.0.0.1/x.tgz", "http://[::ffff:127.0.0.1]/"):
        answer = await house.client.post("/apps/ssrf/builds", json={"source_blob": {"url": url}})
        assert "private network" in _refused(answer, 422)
    for url in ("file:///etc/passwd", "ftp://x/y", "gopher://x", "", "http://", "http://[", "http://x:0x50/", "//x"):
        _refused(await house.client.post("/apps/ssrf/builds", json={"source_blob": {"url": url}}), 422)
    assert (await house.client.get("/apps/ssrf/builds")).json() == []


async def test_builds_of_one_second_are_all_listed_page_by_page(house: House) -> None:
    await house.create("many")
    for number in range(3):
        await house.deploy("many", f"web: n{number}")
    found, header = [], "created_at ..; max=1, order=desc"
    while header:
        answer = await house.client.get("/apps/many/builds", headers={"Range": header})
        found += [build["id"] for build in answer.json()]
        header = answer.headers.get("next-range", "")
    assert len(set(found)) == len(found) == 3


async def test_the_build_cache_can_be_purged(house: House) -> None:
    app = await house.create("cache")
    assert (await house.client.delete("/apps/cache/build-cache")).status_code == 200
    assert house.builder.purged == [UUID(app["id"])]


async def test_a_build_gets_the_apps_config_and_buildpacks(house: House) -> None:
    await house.create("ordered")
    await house.set("ordered", TOKEN="t")
    packs = ["heroku/nodejs", "https://example.com/pack.git#main"]
    put = await house.client.put(
        "/apps/ordered/buildpack-installations", json={"updates": [{"buildpack": pack} for pack in packs]}, headers={"Range": ""}
    )
    assert [(entry["ordinal"], entry["buildpack"]["name"]) for entry in put.json()] == [(0, packs[0]), (1, packs[1])]
    await house.deploy("ordered")
    [order] = house.builder.orders
    assert order.env == {"TOKEN": "t"}
    assert [pack.url for pack in order.buildpacks] == packs
    for bad in (["nonsense"], ["heroku/nodejs", "heroku/nodejs"], ["http://["], [""], ["file:///etc"], ["https://x/a b"]):
        body = {"updates": [{"buildpack": pack} for pack in bad]}
        _refused(await house.client.put("/apps/ordered/buildpack-installations", json=body), 422)
    assert len((await house.client.get("/apps/ordered/buildpack-installations")).json()) == 2
    assert (await house.client.put("/apps/ordered/buildpack-installations", json={"updates": []})).json() == []


async def test_config_vars_of_a_buildpack_are_set_on_the_first_deploy_under_those_there_are(house: House) -> None:
    await house.create("defaults")
    await house.set("defaults", LANG="de")
    house.builder.config_vars = {"LANG": "en", "WEB_CONCURRENCY": "2"}
    await house.deploy("defaults")
    assert (await house.client.get("/apps/defaults/config-vars")).json() == {"LANG": "de", "WEB_CONCURRENCY": "2"}
    await house.set("defaults", WEB_CONCURRENCY=None)
    await house.deploy("defaults", "web: again")
    assert (await house.client.get("/apps/defaults/config-vars")).json() == {"LANG": "de"}


async def test_a_slug_made_elsewhere_is_uploaded_once_and_released(house: House) -> None:
    await house.create("slugged")
    body = {"process_types": {"web": "serve"}, "commit": "cafe"}
    slug = (await house.client.post("/apps/slugged/slugs", json=body)).json()
    assert slug["blob"]["method"] == "put"
    _refused(await house.client.post("/apps/slugged/releases", json={"slug": slug["id"]}), 404)
    content = tarball({"app/x": "1"})
    assert (await house.anyone().put(slug["blob"]["url"], content=content)).status_code == 200
    # A second upload would change releases that are made of it.
    _refused(await house.anyone().put(slug["blob"]["url"], content=tarball({"app/x": "2"})), 409)
    known = (await house.client.get(f"/apps/slugged/slugs/{slug['id']}")).json()
    assert known["checksum"] == f"SHA256:{hashlib.sha256(content).hexdigest()}"
    assert known["size"] == len(content)
    assert (await house.anyone().get(known["blob"]["url"])).content == content
    released = await house.client.post("/apps/slugged/releases", json={"slug": slug["id"], "description": "By hand"})
    assert (released.status_code, released.json()["description"]) == (201, "By hand")
    await house.settle("slugged")
    [dyno] = await house.serving("slugged")
    assert dyno.order.slug == hashlib.sha256(content).hexdigest()
    assert await house.platform.blobs.keys("uploads/") == []


async def test_process_types_no_procfile_could_hold_are_refused(house: House) -> None:
    await house.create("slugged")
    wrong: tuple[Any, ...] = (None, [], {"web": 1}, {"bad name": "x"}, {"web": ""}, {"web": "a\0b"})
    for types in wrong:
        _refused(await house.client.post("/apps/slugged/slugs", json={"process_types": types}), 422)


# --- domains and collaborators ------------------------------------------------------------------------------------------------------------


async def test_domains_are_normalised_listed_routed_and_removed(house: House) -> None:
    await house.create("named")
    stored = {"WWW.Example.ORG.": "www.example.org", "*.wild.example": "*.wild.example", "bücher.example": "xn--bcher-kva.example"}
    for typed, name in stored.items():
        assert (await house.client.post("/apps/named/domains", json={"hostname": typed})).json()["hostname"] == name

    async def routed() -> bool:
        route = await house.router.route_of("named")
        return route is not None and {"named.localhost", "www.example.org", "*.wild.example"} <= set(route.hosts)

    await eventually(routed)
    kinds = {domain["hostname"]: domain["kind"] for domain in (await house.client.get("/apps/named/domains")).json()}
    assert kinds["named.localhost"] == "heroku"
    assert kinds["www.example.org"] == "custom"
    _refused(await house.client.delete("/apps/named/domains/named.localhost"), 422)
    assert (await house.client.delete("/apps/named/domains/www.example.org")).status_code == 200
    _refused(await house.client.delete("/apps/named/domains/www.example.org"), 404)


async def test_a_domain_that_is_none_or_the_platforms_is_refused(house: House) -> None:
    await house.create("named")
    for hostname in ("nodot", "a..b", "x.localhost", "localhost", "10.0.0.1", "-a.example", "a b.example", "*.*.x.example", "a/b.c", ""):
        _refused(await house.client.post("/apps/named/domains", json={"hostname": hostname}), 422)


async def test_collaborators_are_added_by_address_and_listed_after_the_owner(house: House) -> None:
    await house.create("team")
    await house.person("guest@example.com")
    made = await house.client.post("/apps/team/collaborators", json={"user": "Guest@example.com"})
    assert made.json()["role"] == "collaborator"
    listed = (await house.client.get("/apps/team/collaborators")).json()
    assert [(place["user"]["email"], place["role"]) for place in listed] == [
        ("owner@example.com", "owner"),
        ("guest@example.com", "collaborator"),
    ]
    _refused(await house.client.post("/apps/team/collaborators", json={"user": "guest@example.com"}), 422)
    _refused(await house.client.post("/apps/team/collaborators", json={"user": "owner@example.com"}), 422)
    _refused(await house.client.post("/apps/team/collaborators", json={"user": "unknown@example.com"}), 404)
    _refused(await house.client.post("/apps/team/collaborators", json={}), 422)


# --- logs ---------------------------------------------------------------------------------------------------------------------------------


async def test_a_log_session_gives_the_lines_asked_for_and_needs_no_token(house: House) -> None:
    app = await house.create("logged")
    now = house.clock.now()
    lines = [LogLine(now, "app", "web.1", f"line {number}") for number in range(5)] + [LogLine(now, "heroku", "router", "at=info")]
    await house.logs.write(UUID(app["id"]), lines)
    body = {"lines": 2, "dyno": "web", "source": "app", "tail": False}
    session = (await house.client.post("/apps/logged/log-sessions", json=body)).json()
    answer = await house.anyone().get(session["logplex_url"])
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line for line in answer.text.splitlines() if "app[web.1]" in line][-1].endswith("line 4")
    assert answer.text.count("data:") == 2
    _refused(await house.client.post("/apps/logged/log-sessions", json={"lines": -1}), 422)
    house.clock.advance(3600)
    assert (await house.anyone().get(session["logplex_url"])).status_code in (403, 404)
