"""The platform dies at each step of a change of an app: it is done or undone, and router, engine and files follow.

Source: the catalogue of faults, A2.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from authorities.rig import certificate
from house import House, eventually
from senryu.core.errors import Unavailable
from senryu.core.log_line import LogFilter
from senryu.core.route import hosts_of
from senryu.core.slug import slug_key
from senryu.routers.memory import MemoryRouter
from senryu.store.apps import list_apps
from senryu.store.builds import kept_checksums, list_builds
from senryu.store.domains import list_domains
from senryu.store.dynos import list_dynos
from senryu.store.formation import list_formation
from senryu.store.releases import list_releases
from senryu.store.remains import list_remains
from senryu.store.sni_endpoints import list_sni_endpoints, wanted_certificates

from .mortal import Killed, Mortal

APP, WWW, SHOP = "/apps/mortal", "www.mortal.example.org", "shop.mortal.example.org"
_STEPS_MAX = 80
_AT_EACH_STEP = bool(os.environ.get("SENRYU_DEATHS"))  # as in test_restart.py; the suite takes the first and some of the others


class MortalEverywhere(Mortal):
    """Dies between what is cleared away and served, too."""

    def __init__(self, house: House, at: int) -> None:
        super().__init__(house, at)
        parts: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
            ("router", house.router, ("put_certificate", "remove_certificate", "certificates")),
            ("blobs", house.platform.blobs, ("delete",)),
            ("streams", house.platform.streams, ("forget",)),
            ("builder", house.builder, ("purge_cache",)),
            ("repositories", house.platform.repositories, ("remove",)),
            ("logs", house.logs, ("forget",)),
        )
        for part, thing, names in parts:
            for name in names:
                self._patch(thing, name, self._call(getattr(thing, name), f"{part}.{name}"))


@dataclass(frozen=True)
class Told:
    """What the database says: names of apps, the certificate (fingerprint) of each domain, all certificates, and so on."""

    apps: set[str]
    domains: dict[str, str | None]
    certificates: set[str]
    versions: int = 0
    config: dict[str, str] = field(default_factory=dict)
    web: int = 0


async def _told(house: House) -> Told:
    async with house.db.reading() as tx:
        apps, endpoints = await list_apps(tx), {each.id: each.ssl_cert.fingerprint for each in await list_sni_endpoints(tx)}
        domains = [domain for app in apps for domain in await list_domains(tx, app.id)]
        releases = [release for app in apps for release in await list_releases(tx, app.id, vault=house.platform.vault)]
        web = [each.quantity for app in apps for each in await list_formation(tx, app.id) if each.type == "web"]
    served = {domain.hostname: endpoints[domain.sni_endpoint_id] if domain.sni_endpoint_id else None for domain in domains}
    config = dict(max(releases, key=lambda release: release.version).config_vars) if releases else {}
    return Told({app.name for app in apps}, served, set(endpoints.values()), len(releases), config, sum(web))


async def _wrong(house: House, app_id: UUID) -> dict[str, Any]:
    """Where router, engine, slugs, output, repositories and logs have not what the database says, or more."""
    async with house.db.reading() as tx:
        apps, certificates = await list_apps(tx), {host: fingerprint for host, (_, fingerprint) in (await wanted_certificates(tx)).items()}
        domains = {app.id: [domain.hostname for domain in await list_domains(tx, app.id)] for app in apps}
        dynos = {dyno.id for app in apps for dyno in await list_dynos(tx, app.id) if dyno.ended_at is None}
        streams = {build.id for app in apps for build in await list_builds(tx, app.id)}
        streams |= {release.id for app in apps for release in await list_releases(tx, app.id, vault=house.platform.vault)}
        slugs, remains = await kept_checksums(tx), await list_remains(tx)
    routes = {route.app_name: set(route.hosts) for route in await MemoryRouter.routes(house.router)}
    is_there = any(app.id == app_id for app in apps)
    found = {
        "remains": (remains, []),
        "routes": (routes, {app.name: set(hosts_of(app.name, "localhost", domains[app.id])) for app in apps}),
        "certificates": (dict(await MemoryRouter.certificates(house.router)), certificates),
        "dynos": (set(house.engine.running), dynos),
        "streams": ({UUID(file.name.partition(".")[0]) for file in house.streams_dir.iterdir()} - streams, set()),
        "slugs": (set(await house.platform.blobs.keys("slugs/")), {slug_key(checksum) for checksum in slugs}),
        "repository": (_repository(house, app_id).exists(), is_there),
        "log": (bool(await house.logs.history(app_id, LogFilter(), 1500)), is_there),
    }
    return {what: both for what, both in found.items() if both[0] != both[1]}


async def _rest(house: House, app_id: UUID, when: str) -> None:
    wrong: dict[str, Any] = {}

    async def is_whole() -> bool:
        wrong.clear()
        wrong.update(await _wrong(house, app_id))
        return not wrong

    try:
        await eventually(is_whole, f"rest {when}")
    except AssertionError as error:
        raise AssertionError(f"{error}; is and should be: {wrong}") from None


def _repository(house: House, app_id: UUID) -> Any:
    return house.platform.settings.home / "repos" / f"{app_id}.git"


async def _app_with_a_domain_and_its_certificate(house: House) -> UUID:
    app_id = UUID((await house.create("mortal"))["id"])
    await house.deploy("mortal", "web: serve\nworker: work")
    _repository(house, app_id).mkdir(parents=True)
    await _upload(house, WWW, SHOP)
    assert (await house.client.post(f"{APP}/domains", json={"hostname": WWW})).status_code == 201
    await house.settle("mortal")
    await _rest(house, app_id, "before the change")
    return app_id


async def _upload(house: House, *names: str) -> httpx.Response:
    pem, key, _ = certificate(*names)
    return await house.client.post(f"{APP}/sni-endpoints", json={"certificate_chain": pem, "private_key": key})


async def _endpoint(house: House) -> str:
    [first, *_] = (await house.client.get(f"{APP}/sni-endpoints")).json()
    return f"{APP}/sni-endpoints/{first['name']}"


async def _destroy(house: House) -> httpx.Response:
    return await house.client.delete(APP)


async def _rename(house: House) -> httpx.Response:
    return await house.client.patch(APP, json={"name": "renamed"})


async def _add_a_domain(house: House) -> httpx.Response:
    return await house.client.post(f"{APP}/domains", json={"hostname": SHOP})


async def _remove_a_domain(house: House) -> httpx.Response:
    return await house.client.delete(f"{APP}/domains/{WWW}")


async def _add_a_certificate(house: House) -> httpx.Response:
    return await _upload(house, "other.mortal.example.org")


async def _replace_a_certificate(house: House) -> httpx.Response:
    pem, key, _ = certificate(WWW)
    return await house.client.patch(await _endpoint(house), json={"certificate_chain": pem, "private_key": key})


async def _remove_a_certificate(house: House) -> httpx.Response:
    return await house.client.delete(await _endpoint(house))


async def _configure(house: House) -> httpx.Response:
    return await house.set("mortal", COLOUR="red")


async def _scale(house: House) -> httpx.Response:
    return await house.client.patch(f"{APP}/formation", json={"updates": [{"type": "web", "quantity": 3}]})


async def _roll_back(house: House) -> httpx.Response:
    return await house.client.post(f"{APP}/releases", json={"release": "2"})


Change = Callable[[House], Awaitable[httpx.Response]]
IsDone = Callable[[Told, Told], bool]

_CHANGES: dict[str, tuple[Change, IsDone]] = {
    "destroy": (_destroy, lambda _, now: now == Told(set(), {}, set())),
    "rename": (_rename, lambda was, now: now == replace(was, apps={"renamed"})),
    "add a domain": (_add_a_domain, lambda was, now: now == replace(was, domains={**was.domains, SHOP: was.domains[WWW]})),
    "remove a domain": (_remove_a_domain, lambda was, now: now == replace(was, domains={})),
    "add a certificate": (_add_a_certificate, lambda was, now: now.domains == was.domains and len(now.certificates) == 2),
    "replace a certificate": (_replace_a_certificate, lambda was, now: {now.domains[WWW]} == now.certificates != was.certificates),
    "remove a certificate": (_remove_a_certificate, lambda was, now: now == replace(was, domains={WWW: None}, certificates=set())),
    "set a config var": (_configure, lambda was, now: now == replace(was, versions=was.versions + 1, config={"COLOUR": "red"})),
    "scale": (_scale, lambda was, now: now == replace(was, web=3)),
    "roll back": (_roll_back, lambda was, now: now == replace(was, versions=was.versions + 1)),
}


@pytest.mark.parametrize("name", _CHANGES)
async def test_whenever_the_platform_dies_a_change_is_done_or_undone_and_all_follows(name: str, new_house: Callable[[], Any]) -> None:
    at = 1
    while at < _STEPS_MAX:
        async with new_house() as house:
            if not await _dies(house, *_CHANGES[name], at):
                assert at > 2  # it did die at some steps before
                return
        at += 1 if _AT_EACH_STEP else 1 + at // 6
    raise AssertionError("it never came to an end")


async def _dies(house: House, change: Change, is_done: IsDone, at: int) -> bool:
    """Whether the platform died on the way, or while what follows from the change was done."""
    app_id = await _app_with_a_domain_and_its_certificate(house)
    was, answers = await _told(house), list[httpx.Response]()
    mortal = MortalEverywhere(house, at)
    life = asyncio.create_task(_lived(change, house, answers))
    await eventually(lambda: mortal.is_dead or _has_followed(house, life, app_id), f"death at step {at}")
    is_dead, point = mortal.is_dead, mortal.point
    mortal.bury()
    await house.restart()
    life.cancel()
    await asyncio.wait({life})
    await _rest(house, app_id, f"after death {point}")
    for app in (await _told(house)).apps:
        await house.settle(app)
    now, is_told = await _told(house), any(answer.status_code < 300 for answer in answers)
    assert is_done(was, now) or (now == was and not is_told and is_dead), f"{was} became {now}, told: {is_told}, dead {point}"
    if now == was:
        assert (await change(house)).status_code < 300
        await _rest(house, app_id, f"after another try, dead {point}")
        assert is_done(was, await _told(house))
    return is_dead


async def _has_followed(house: House, life: asyncio.Task[None], app_id: UUID) -> bool:
    return life.done() and not await _wrong(house, app_id)


async def _lived(change: Change, house: House, answers: list[httpx.Response]) -> None:
    with suppress(Killed):
        answers.append(await change(house))


@pytest.mark.parametrize(("part", "call"), [("engine", "remove"), ("router", "remove")])
async def test_an_app_destroyed_while_a_part_is_away_is_gone_at_once_and_cleared_away_when_it_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch, part: str, call: str
) -> None:
    app_id = await _app_with_a_domain_and_its_certificate(house)
    asked: list[object] = []

    async def away(*of: object) -> None:
        asked.append(of)
        raise Unavailable("It does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(getattr(house, part), call, away)
        assert (await house.client.delete(APP)).status_code == 200
        assert (await house.client.get(APP)).status_code == 404
        tried = len(asked)
        await eventually(lambda: _is_tried_again(house, asked, tried), "another try")
        assert _repository(house, app_id).exists()
    await eventually(lambda: _is_cleared(house, app_id), "the end of what it left")


async def _is_tried_again(house: House, asked: list[object], tried: int) -> bool:
    house.clock.advance(1)
    return len(asked) > tried


async def _is_cleared(house: House, app_id: UUID) -> bool:
    house.clock.advance(60)
    return not await _wrong(house, app_id)
