"""Fifty changes of one app at once, as fifty clients ask for them: every one is in the history, in some order.

Source: issue 3, races; reliability catalogue, group Y. In memory, with more kinds: tests/stories/test_races.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from house import tarball
from system.person import App
from system.rig import Copy

from . import apps, invariants
from .conftest import NewApp

KEYS, SAME, SCALES, ROLLBACKS, BUILDS, PUSHES = 25, 5, 8, 6, 5, 1
SCALED_TO = tuple({"web": 1 + number % 2, "worker": number % 3} for number in range(SCALES))
PATIENCE_S = 240.0
Release = dict[str, Any]
Config = dict[str, str]


@dataclass
class Client:
    """The Platform API as its clients call it, each over a connection of its own."""

    app: App
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.http.request(method, path if path.startswith("/") else f"/apps/{self.app.name}/{path}", json=body)

    async def found(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.is_success, answer.text
        return answer.json()

    async def change(self, method: str, path: str, body: object) -> None:
        answer = await self.ask(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"

    async def source(self, mark: str) -> str:
        blob = (await self.ask("POST", "/sources")).json()["source_blob"]
        uploaded = await self.http.put(blob["put_url"], content=tarball(apps.files("polite", mark)))
        assert uploaded.is_success, uploaded.text
        return str(blob["get_url"])

    async def build(self, url: str, version: str) -> None:
        """Tries again while another builds, which is a conflict, as at Heroku."""
        while (answer := await self.ask("POST", "builds", {"source_blob": {"url": url, "version": version}})).status_code == 409:
            await asyncio.sleep(0.1)
        assert answer.status_code == 201, answer.text
        while (await self.found(f"builds/{answer.json()['id']}"))["status"] == "pending":
            await asyncio.sleep(0.2)
        assert (await self.found(f"builds/{answer.json()['id']}"))["status"] == "succeeded"

    async def push(self) -> None:
        """As often as the platform says that another builds."""
        while (done := await asyncio.to_thread(self.app.push, check=False)).returncode != 0:
            assert "Another build of" in done.stderr, done.stderr
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
def test_no_update_is_lost_among_fifty_at_once(platform: Copy, make_app: NewApp) -> None:
    app = make_app("polite")
    app.deploy(apps.files("polite", "second"))
    before = app.releases()[0]["version"]
    app.commit(apps.files("polite", "pushed"))
    pushed = app.git("rev-parse", "HEAD").stdout.strip()
    marks = {f"{number:x}".ljust(40, "b"): f"built {number}" for number in range(10, 10 + BUILDS)}
    history = asyncio.run(_fifty(app, before, marks))
    _is_a_serial_order(history, {**marks, pushed: "pushed"}, before)
    invariants.check(platform, within_s=120)
    mark = history.marks[-1]
    assert f"v{len(history.marks)} none {mark}" in app.visit().text
    assert _quantities(app) in SCALED_TO


@dataclass
class History:
    """All releases in their order, with what each holds; `marks` (what the code says of itself) is filled in by the look at it."""

    releases: Sequence[Release]
    configs: Sequence[Config]
    now: Config
    marks: list[str]


async def _fifty(app: App, before: int, marks: dict[str, str]) -> History:
    """Asks for all of them in one moment; gives what came of them."""
    token = app.owner.senryu("auth:token").stdout.strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.heroku+json; version=3"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=app.copy.url, headers=headers, limits=limits, timeout=PATIENCE_S, trust_env=False) as http:
        client = Client(app, http)
        sources = {commit: await client.source(mark) for commit, mark in marks.items()}
        changes: list[Callable[[], Awaitable[None]]] = [
            *(lambda n=n: client.change("PATCH", "config-vars", {f"VAR_{n}": str(n)}) for n in range(KEYS)),
            *(lambda n=n: client.change("PATCH", "config-vars", {"SAME": str(n)}) for n in range(SAME)),
            *(lambda to=to: client.change("PATCH", "formation", {"updates": _updates(to)}) for to in SCALED_TO),
            *(lambda: client.change("POST", "releases", {"release": f"v{before}"}) for _ in range(ROLLBACKS)),
            *(lambda c=commit, u=url: client.build(u, c) for commit, url in sources.items()),
            *(client.push for _ in range(PUSHES)),
        ]
        assert len(changes) == 50
        mixed = [changes[place * 7 % len(changes)] for place in range(len(changes))]  # no kind before another
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            for change in mixed:
                tasks.create_task(_done(change))
        releases = sorted(await client.found("releases"), key=lambda release: int(release["version"]))
        configs = [await client.found(f"releases/{release['version']}/config-vars") for release in releases]
        return History(releases, configs, await client.found("config-vars"), [])


async def _done(change: Callable[[], Awaitable[None]]) -> None:
    await change()


def _updates(quantities: dict[str, int]) -> list[dict[str, object]]:
    return [{"type": type, "quantity": count} for type, count in quantities.items()]


def _is_a_serial_order(history: History, code: dict[str, str], before: int) -> None:
    """Walking the history, each release is the one before with its own change applied; none is missing, none is there twice."""
    assert [release["version"] for release in history.releases] == list(range(1, before + KEYS + SAME + ROLLBACKS + BUILDS + PUSHES + 1))
    assert {release["status"] for release in history.releases} == {"succeeded"}
    history.marks.extend(["", *["second"] * (before - 1)][:before])
    said: list[str] = []
    for (last, now), release in zip(itertools.pairwise(history.configs[before - 1 :]), history.releases[before:], strict=True):
        what, mark, config = str(release["description"]), history.marks[-1], dict(last)
        match what.split():
            case ["Set", "SAME", *_]:
                config["SAME"] = now["SAME"]
                said.append(f"SAME={now['SAME']}")
            case ["Set", name, *_]:
                config[name] = name.removeprefix("VAR_")
                said.append(name)
            case ["Rollback", "to", version]:
                assert version == f"v{before}"
                mark, config = "second", dict(history.configs[before - 1])
            case ["Deploy", short]:
                [mark] = [found for commit, found in code.items() if commit.startswith(short)]
                said.append(mark)
        assert now == config, f"v{release['version']} {what}"
        history.marks.append(mark)
    wanted = [f"VAR_{n}" for n in range(KEYS)] + [f"SAME={n}" for n in range(SAME)] + list(code.values())
    assert sorted(said) == sorted(wanted)
    assert history.now == history.configs[-1]


def _quantities(app: App) -> dict[str, int]:
    found = json.loads(app.senryu("ps:scale", "--json").stdout)
    return {each["type"]: each["quantity"] for each in found}
