"""What the operator says of dyno sizes, and what apps may do with them."""

from __future__ import annotations

from house import House, eventually

PROCFILE = "web: serve\nworker: work\nclock: tick"


async def test_a_size_changed_by_the_operator_is_what_the_next_dyno_gets(house: House) -> None:
    app = await house.create("sized")
    await house.deploy("sized", PROCFILE)
    operator = house.operator.client
    tiny = {"memory_bytes": 64 * 2**20, "cpu_shares": 128, "pids": 40, "price_cents": 250}
    changed = await operator.patch("/senryu/dyno-sizes/tiny", json=tiny)
    assert (changed.status_code, changed.json()["name"]) == (200, "tiny")
    assert (await house.client.patch("/apps/sized/formation/web", json={"size": "TINY"})).json()["size"] == "tiny"
    await house.settle("sized")
    [web] = await house.serving("sized")
    assert (web.order.memory_bytes, web.order.cpu_shares, web.order.pids) == (64 * 2**20, 128, 40)
    assert web.order.env["DYNO_RAM"] == "64"
    await operator.patch("/senryu/dyno-sizes/tiny", json={"memory_bytes": 96 * 2**20, "is_offered": False})
    await house.client.delete("/apps/sized/dynos")

    async def is_larger() -> bool:
        return [dyno.order.memory_bytes for dyno in await house.serving("sized")] == [96 * 2**20]

    await eventually(is_larger)
    assert "tiny" not in [size["name"] for size in (await house.client.get("/dyno-sizes")).json()]
    refused = await house.client.patch("/apps/sized/formation/worker", json={"size": "tiny"})
    assert (refused.status_code, app["name"]) == (422, "sized")


async def test_sizes_are_changed_by_the_operator_alone(house: House) -> None:
    for method, path, body in (
        ("PATCH", "/senryu/dyno-sizes/free", {"price_cents": 0}),
        ("PUT", "/senryu/dyno-sizes/free/allowed", {"allowed": None}),
        ("PUT", "/senryu/default-dyno-size", {"size": "free"}),
    ):
        assert (await house.client.request(method, path, json=body)).status_code == 403


async def test_new_process_types_get_the_operators_default(house: House) -> None:
    await house.create("early")
    await house.deploy("early")
    chosen = await house.operator.client.put("/senryu/default-dyno-size", json={"size": "free"})
    assert chosen.json()["name"] == "Free"
    await house.create("late")
    await house.deploy("late", PROCFILE)
    late = {entry["type"]: entry["size"] for entry in (await house.client.get("/apps/late/formation")).json()}
    assert late == {"web": "Free", "worker": "Free", "clock": "Free"}
    assert (await house.client.get("/apps/early/formation/web")).json()["size"] == "Standard-1X"
    refused = await house.operator.client.patch("/senryu/dyno-sizes/free", json={"is_offered": False})
    assert refused.status_code == 409


async def test_a_size_can_be_kept_for_accounts_and_teams(house: House) -> None:
    await house.create("plain")
    await house.deploy("plain")
    path, operator = "/senryu/dyno-sizes/performance-l/allowed", house.operator.client
    assert (await operator.put(path, json={"allowed": ["operator@example.com"]})).json()["is_restricted"] is True
    refused = await house.client.patch("/apps/plain/formation/web", json={"size": "performance-l"})
    assert refused.status_code == 403
    assert (await house.client.post("/apps/plain/dynos", json={"command": "x", "size": "performance-l"})).status_code == 403
    assert (await operator.put(path, json={"allowed": ["nobody@example.com"]})).status_code == 404
    await operator.put(path, json={"allowed": ["owner@example.com"]})
    assert (await house.client.patch("/apps/plain/formation/web", json={"size": "performance-l"})).status_code == 200


async def test_the_free_rules_in_herokus_words(house: House) -> None:
    await house.create("free-app")
    await house.deploy("free-app", PROCFILE)
    mixed = await house.client.patch("/apps/free-app/formation/web", json={"size": "free"})
    assert mixed.json()["message"] == "Cannot use the following dyno types in the same app: Free and Standard-1X"
    updates = [{"type": name, "size": "free"} for name in ("web", "worker", "clock")]
    assert (await house.client.patch("/apps/free-app/formation", json={"updates": updates})).status_code == 200
    two = await house.client.patch("/apps/free-app/formation/web", json={"quantity": 2})
    assert (two.status_code, two.json()["message"]) == (422, "Cannot update to more than 1 Free size dynos per process type.")
    await house.settle("free-app")
    mixed = await house.client.post("/apps/free-app/dynos", json={"command": "serve", "size": "standard-1x"})
    assert mixed.status_code == 422
    first = await house.client.post("/apps/free-app/dynos", json={"command": "serve"})
    assert (first.status_code, first.json()["size"]) == (201, "Free")
    second = await house.client.post("/apps/free-app/dynos", json={"command": "serve"})
    assert second.status_code == 422
    assert second.json() == {"id": "cannot_run_above_limit", "message": "Cannot run more than 1 Free size dynos."}
    await house.client.post(f"/apps/free-app/dynos/{first.json()['name']}/actions/stop")

    async def is_gone() -> bool:
        return (await house.client.post("/apps/free-app/dynos", json={"command": "serve"})).status_code == 201

    await eventually(is_gone)


async def test_a_release_that_names_new_types_keeps_to_the_free_size(house: House) -> None:
    await house.create("growing")
    await house.deploy("growing")
    await house.client.patch("/apps/growing/formation/web", json={"size": "eco"})
    await house.deploy("growing", PROCFILE)
    assert {entry["size"] for entry in (await house.client.get("/apps/growing/formation")).json()} == {"Eco"}


async def test_types_that_never_run_in_the_formation_take_a_size_with_the_others_and_stand_in_no_way(house: House) -> None:
    await house.create("ruby")
    await house.deploy("ruby", "web: x\nconsole: irb\nrake: rake")
    updates = [{"type": name, "size": "free"} for name in ("console", "rake", "web")]
    changed = (await house.client.patch("/apps/ruby/formation", json={"updates": updates})).json()
    assert {entry["type"]: (entry["quantity"], entry["size"]) for entry in changed} == {
        "console": (0, "Free"),
        "rake": (0, "Free"),
        "web": (1, "Free"),
    }
    assert (await house.client.patch("/apps/ruby/formation/web", json={"size": "standard-1x"})).status_code == 200
    assert (await house.client.patch("/apps/ruby/formation/console", json={"quantity": 1})).status_code == 422


async def test_a_free_dyno_that_is_on_its_way_out_stands_in_no_ones_way(house: House) -> None:
    await house.create("slow")
    await house.deploy("slow", "web: x")
    await house.client.patch("/apps/slow/formation/web", json={"size": "free"})
    await house.settle("slow")
    [old] = await house.serving("slow")
    old.is_stubborn = True
    await house.client.delete("/apps/slow/dynos")
    await eventually(lambda: "TERM" in old.signals and len(house.engine.running) == 2)
    assert (await house.client.post("/apps/slow/dynos", json={"command": "serve"})).status_code == 201
