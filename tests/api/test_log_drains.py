"""Log drains over the API: who gets what, which addresses are refused, and where credentials do not appear."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from sqlalchemy import text

from house import House
from senryu.config import settings
from senryu.core.errors import Invalid
from stand_ins import IdleDrains

URL = "https://me:s3cret@logs.example.com/in?key=s3cret"


def woken(house: House) -> int:
    assert isinstance(house.platform.drains, IdleDrains)
    return house.platform.drains.woken


async def test_a_drain_is_made_found_by_url_token_and_id_and_removed(house: House) -> None:
    await house.create("drained")
    made = await house.client.post("/apps/drained/log-drains", json={"url": URL})
    drain = made.json()
    assert made.status_code == 201
    assert {"addon", "created_at", "id", "token", "updated_at", "url"} <= drain.keys()
    assert (drain["url"], drain["addon"]) == (URL, None)
    assert drain["token"].startswith("d.") and len(drain["token"]) == 38
    for key in (URL, drain["token"], drain["id"]):
        assert (await house.client.get(f"/apps/drained/log-drains/{quote(key, safe='')}")).json() == drain
    assert (await house.client.get("/apps/drained/log-drains")).json() == [drain]
    assert (await house.client.delete(f"/apps/drained/log-drains/{quote(URL, safe='')}")).json() == drain
    assert (await house.client.delete(f"/apps/drained/log-drains/{drain['token']}")).status_code == 404
    assert woken(house) == 2


async def test_a_drain_starts_behind_the_newest_line(house: House) -> None:
    app = await house.create("drained")
    await house.set("drained", KEY="value")
    await house.client.post("/apps/drained/log-drains", json={"url": URL})
    async with house.db.reading() as tx:
        after = (await tx.execute(text("SELECT after_seq FROM log_drains"))).scalar_one()
    assert 0 < after < len(await house.log_of(app["id"]))


async def test_credentials_are_in_no_log_and_sealed_in_the_database(house: House) -> None:
    app = await house.create("drained")
    await house.client.post("/apps/drained/log-drains", json={"url": URL})
    refused = await house.client.post("/apps/drained/log-drains", json={"url": URL})
    assert refused.status_code == 422 and "s3cret" not in refused.text
    await house.client.delete(f"/apps/drained/log-drains/{quote(URL, safe='')}")
    await house.client.post("/apps/drained/log-drains", json={"url": URL})
    log = await house.log_of(app["id"])
    assert "app[api]: Add https://me:[REDACTED]@logs.example.com/in?[REDACTED] drain by user owner@example.com" in log
    assert not any("s3cret" in line for line in log)
    async with house.db.reading() as tx:
        rows = (await tx.execute(text("SELECT * FROM log_drains"))).all()
    assert len(rows) == 1 and "s3cret" not in repr(rows)


async def test_an_app_has_at_most_five_drains_and_none_twice(house: House) -> None:
    await house.create("drained")
    for number in range(5):
        assert (await house.client.post("/apps/drained/log-drains", json={"url": f"syslog://logs.example.com:{2000 + number}"})).is_success
    answer = await house.client.post("/apps/drained/log-drains", json={"url": "syslog://logs.example.com:3000"})
    assert answer.status_code == 422 and "5 drains already" in answer.json()["message"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest",
        "syslog://10.0.0.1:514",
        "syslog+tls://192.168.0.1:6514",
        "http://8.8.8.8@127.0.0.1/",
        "http://100.64.0.1/",
        "syslog://0.0.0.0:514",
        "syslog://8.8.8.8:25",
        "file:///etc/passwd",
        "ftp://logs.example.com/",
        "https://no-such-host.invalid/",
        "",
        None,
        7,
        "https://h/" + "x" * 5000,
    ],
)
async def test_an_address_that_leads_inside_or_is_none_is_refused(house: House, url: object) -> None:
    await house.create("drained")
    assert (await house.client.post("/apps/drained/log-drains", json={"url": url})).status_code == 422
    assert (await house.client.get("/apps/drained/log-drains")).json() == []


async def test_the_operator_may_allow_private_addresses(house: House) -> None:
    await house.create("drained")
    house.platform = replace(house.platform, settings=replace(house.platform.settings, allow_private_drains=True))
    house.api.state.platform = house.platform
    assert (await house.client.post("/apps/drained/log-drains", json={"url": "syslog://127.0.0.1:514"})).status_code == 201


async def test_drains_go_with_their_app(house: House) -> None:
    await house.create("drained")
    await house.client.post("/apps/drained/log-drains", json={"url": URL})
    await house.client.delete("/apps/drained")
    async with house.db.reading() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM log_drains"))).scalar_one() == 0


def test_the_setting_is_a_switch() -> None:
    assert settings({}, {}).allow_private_drains is False
    for word in ("true", "1", "True", "yes"):
        assert settings({}, {"SENRYU_ALLOW_PRIVATE_DRAINS": word}).allow_private_drains is True
    with pytest.raises(Invalid, match="true or false"):
        settings({}, {"SENRYU_ALLOW_PRIVATE_DRAINS": "perhaps"})
