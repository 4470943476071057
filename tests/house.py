"""The whole house in memory: real API, actions, store and supervisor; engine, router, builder and time are made up."""

from __future__ import annotations

import asyncio
import io
import shutil
import ssl
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import httpx
from starlette.applications import Starlette

from contract import hold_answer
from held_database import HeldDatabase
from senryu.actions.authenticate import authorize
from senryu.actions.browser_login import BrowserLogins
from senryu.actions.destroy import clear_all_away
from senryu.actions.keep_certificates import CertificateLoop
from senryu.actions.meter import keep_usage_once
from senryu.actions.recover import recover
from senryu.actions.sleep import Sleeping, have_apps_sleep, wake_apps
from senryu.actions.supervise import Supervisor
from senryu.api.auth import Allowance
from senryu.api.front_door import front_door, open_terminals
from senryu.api.parts import clearing
from senryu.api.rendezvous import Rendezvous
from senryu.blobs.memory import MemoryBlobStore
from senryu.config import settings
from senryu.core.account import Account
from senryu.core.attempts import Attempts
from senryu.core.dyno import Dyno
from senryu.core.formation import quantities
from senryu.core.log_line import LogFilter
from senryu.core.release import Release
from senryu.core.route import Route
from senryu.engines.memory import MemoryEngine, Running
from senryu.git.repository import Repositories
from senryu.logs.intake import Intake
from senryu.logs.memory import MemoryLogs
from senryu.logs.streams import FileStreams
from senryu.platform import Platform
from senryu.routers.memory import MemoryRouter
from senryu.store.accounts import create_account
from senryu.store.apps import find_app
from senryu.store.database import Database
from senryu.store.dynos import list_dynos
from senryu.store.formation import list_formation
from senryu.store.releases import current_release, list_releases
from senryu.store.vault import Vault
from stand_ins import HouseResolver, IdleDrains, ScriptedAuthority, ScriptedBuilder

VAULT_KEY = b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PATIENCE_S = 10.0


async def eventually(is_so: Callable[[], Awaitable[Any] | Any], what: str = "") -> Any:
    """Asks until the answer is true, and gives it; fails after PATIENCE_S."""
    deadline = monotonic() + PATIENCE_S
    while True:
        answer = is_so()
        answer = await answer if isinstance(answer, Awaitable) else answer
        if answer:
            return answer
        assert monotonic() < deadline, f"never came: {what or is_so}"
        await asyncio.sleep(0.01)


class StoryClock:
    """Real time that can be made to jump: `advance` wakes every sleeper whose time has come."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._wrong_s = 0.0
        self._jumped = asyncio.Event()
        self.boot_id = "boot-1"

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s + self._wrong_s)

    def monotonic(self) -> float:
        return monotonic() + self._ahead_s

    def boot(self) -> str:
        return self.boot_id

    async def sleep(self, delay_s: float) -> None:
        until = self.monotonic() + delay_s
        while (left_s := until - self.monotonic()) > 0:
            jumped = self._jumped
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await jumped.wait()

    def set_wrong(self, by_s: float) -> None:
        """Somebody sets the machine's clock: the wall time jumps, nothing else."""
        self._wrong_s = by_s

    def advance(self, delay_s: float) -> None:
        """Lets time pass."""
        self._ahead_s += delay_s
        self._jumped.set()
        self._jumped = asyncio.Event()


def tarball(files: Mapping[str, str]) -> bytes:
    """A .tgz of a source."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


class WatchedRouter(MemoryRouter):
    """Keeps every route it was given, in order; `before_apply` may look at what is true at that moment, or die."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[Route] = []
        self.before_apply: Callable[[Route], Awaitable[None]] | None = None

    async def apply(self, route: Route) -> None:
        if self.before_apply is not None:
            await self.before_apply(route)
        self.applied.append(route)
        await super().apply(route)

    async def route_of(self, name: str) -> Route | None:
        """What it routes now for an app."""
        return next((route for route in await self.routes() if route.app_name == name), None)


@dataclass(frozen=True)
class Person:
    """An account with its token and its own client of the API."""

    account: Account
    token: str
    client: httpx.AsyncClient


@dataclass
class House:
    """What a story walks through. `client` speaks as the owner, who is no operator."""

    platform: Platform
    api: Starlette
    engine: MemoryEngine
    router: WatchedRouter
    builder: ScriptedBuilder
    logs: MemoryLogs
    clock: StoryClock
    intake: Intake
    authority: ScriptedAuthority
    streams_dir: Path
    operator: Person
    owner: Person

    @property
    def client(self) -> httpx.AsyncClient:
        return self.owner.client

    @property
    def db(self) -> Database:
        return self.platform.db

    @property
    def supervisor(self) -> Supervisor:
        assert isinstance(self.platform.supervision, Supervisor)
        return self.platform.supervision

    def anyone(self, token: str | None = None, *, header: str | None = None, is_held: bool = True) -> httpx.AsyncClient:
        """A client with a token, an Authorization header of any form, or nothing. Answers are held to the API's own description."""
        headers = {"Accept": "application/vnd.heroku+json; version=3"}
        if token is not None or header is not None:
            headers["Authorization"] = header if header is not None else f"Bearer {token}"
        transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
        hooks = {"response": [hold_answer]} if is_held else {}
        url = self.platform.settings.api_url
        return httpx.AsyncClient(transport=transport, base_url=url, headers=headers, timeout=30, event_hooks=hooks)

    async def person(self, email: str, *, is_operator: bool = False, expires_in_s: float | None = None) -> Person:
        """A new account with a token."""
        return await _person(self, email, is_operator=is_operator, expires_in_s=expires_in_s)

    async def create(self, name: str = "story-app") -> dict[str, Any]:
        """An app of the owner."""
        answer = await self.client.post("/apps", json={"name": name})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def start_build(self, app: str, files: Mapping[str, str], version: str | None = None) -> httpx.Response:
        """Uploads a source and asks for its build; gives the API's answer."""
        blob = (await self.client.post("/sources")).json()["source_blob"]
        put = await self.anyone().put(blob["put_url"], content=tarball(files))
        assert put.status_code == 200, put.text
        return await self.client.post(f"/apps/{app}/builds", json={"source_blob": {"url": blob["get_url"], "version": version}})

    async def deploy(
        self, app: str, files: Mapping[str, str] | str = "web: serve", version: str | None = None
    ) -> tuple[dict[str, Any], str]:
        """Deploys to the end of the build's output; gives the build and what it printed. A text is a Procfile."""
        files = {"Procfile": files} if isinstance(files, str) else files
        started = await self.start_build(app, files, version)
        assert started.status_code == 201, started.text
        output = (await self.anyone().get(started.json()["output_stream_url"])).text
        build = await self.client.get(f"/apps/{app}/builds/{started.json()['id']}")
        return build.json(), output

    async def set(self, app: str, **config: str | None) -> httpx.Response:
        """`config:set`."""
        return await self.client.patch(f"/apps/{app}/config-vars", json=config)

    async def releases(self, app: str) -> list[Release]:
        """All releases, as stored."""
        async with self.db.reading() as tx:
            found = await find_app(tx, app)
            assert found is not None
            return await list_releases(tx, found.id, vault=self.platform.vault)

    async def dynos(self, app: str) -> list[Dyno]:
        """All records of dynos."""
        async with self.db.reading() as tx:
            found = await find_app(tx, app)
            assert found is not None
            return await list_dynos(tx, found.id)

    async def serving(self, app: str) -> list[Running]:
        """What the router leads to now and really listens."""
        route = await self.router.route_of(app)
        found = [self.engine.running.get(target.dyno_id) for target in (route.targets if route else ()) if not target.is_draining]
        return [dyno for dyno in found if dyno is not None and dyno.is_listening]

    async def log_of(self, app_id: str) -> list[str]:
        """The app's log as `source[process]: text`."""
        lines = await self.logs.history(UUID(app_id), LogFilter(), 1500)
        return [f"{line.source}[{line.process}]: {line.text}" for line in lines]

    async def challenge(self, path: str) -> str | None:
        """What a certificate authority sees under a path of any domain: the app's own answer unless the router sends it to the platform."""
        return (await self.anyone().get(path)).text if path in self.router.challenges else None

    async def settle(self, app: str) -> None:
        """Waits until what runs is what the database says, and nothing is in between."""

        async def is_calm() -> bool:
            async with self.db.reading() as tx:
                found = await find_app(tx, app)
                assert found is not None
                current = await current_release(tx, found.id, vault=self.platform.vault)
                wanted = sum(quantities(current, await list_formation(tx, found.id)).values())
                dynos = [dyno for dyno in await list_dynos(tx, found.id) if dyno.kind.value == "formation"]
            is_right = all(
                (dyno.state.value, dyno.retiring, dyno.release_id) == ("up", None, current.id if current else None) for dyno in dynos
            )
            routed = {dyno.order.id for dyno in await self.serving(app)}
            return len(dynos) == wanted and is_right and routed == {dyno.id for dyno in dynos if dyno.type == "web"}

        await eventually(is_calm, f"{app} to settle")

    async def restart(self) -> None:
        """The platform ends wherever it is and starts again on the same database, engine and router."""
        await self.supervisor.__aexit__()
        await keep_usage_once(db=self.db, clock=self.clock)
        streams = FileStreams(self.streams_dir)
        fresh = _supervisor(self.db, self.platform.vault, self.engine, self.router, self.logs, streams, self.intake, self.clock)
        await fresh.__aenter__()
        fresh.undertake("recovery", recover(db=self.db, log_writer=self.logs, clock=self.clock, began=self.clock.now()))
        certificates = _certificates(self.db, self.platform.vault, self.router, self.authority, self.logs, self.clock)
        fresh.undertake("certificates", certificates.run())
        _undertake_sleep(fresh, self.db, self.router, self.logs, self.clock)
        self.platform = replace(self.platform, supervision=fresh, streams=streams, certifying=certificates)
        self.api.state.platform = self.platform
        fresh.undertake("clear-away", clear_all_away(self.clock, **clearing(self.platform)))


_api: Starlette | None = None


def _api_of(platform: Platform) -> Starlette:
    """The one application of all houses: making its routes takes longer than most tests."""
    global _api
    if _api is None:
        _api = front_door(platform)
    _api.state.platform, _api.state.attempts, _api.state.allowance = platform, Attempts(), Allowance()
    _api.state.logins = BrowserLogins(platform.clock)
    return _api


def _supervisor(
    db: Database,
    vault: Vault,
    engine: MemoryEngine,
    router: MemoryRouter,
    logs: MemoryLogs,
    streams: FileStreams,
    intake: Intake,
    clock: StoryClock,
) -> Supervisor:
    return Supervisor(
        db=db,
        vault=vault,
        engine=engine,
        output=engine,
        router=router,
        log_writer=logs,
        streams=streams,
        followers=intake,
        clock=clock,
        platform_domain="localhost",
    )


def _certificates(
    db: Database, vault: Vault, router: MemoryRouter, authority: ScriptedAuthority, logs: MemoryLogs, clock: StoryClock
) -> CertificateLoop:
    return CertificateLoop(db=db, vault=vault, router=router, authority=authority, log_writer=logs, clock=clock)


def _undertake_sleep(supervisor: Supervisor, db: Database, router: MemoryRouter, logs: MemoryLogs, clock: StoryClock) -> None:
    parts = Sleeping(db=db, router=router, log_writer=logs, supervision=supervisor, clock=clock)
    supervisor.undertake("sleep", have_apps_sleep(**parts))
    supervisor.undertake("wake", wake_apps(**parts))


async def _person(house: House, email: str, *, is_operator: bool = False, expires_in_s: float | None = None) -> Person:
    now = house.clock.now()
    account = Account(uuid4(), email, None, "no password", is_operator, now, now)
    async with house.db.transaction() as tx:
        await create_account(tx, account)
        _, token = await authorize(account, tx, clock=house.clock, description="story", expires_in_s=expires_in_s)
    return Person(account, token, house.anyone(token))


@asynccontextmanager
async def house_at(home: Path, empty_database: Path, database_url: str | None = None) -> AsyncIterator[House]:
    """The house, with an operator and an owner living in it; on a copy of an SQLite file, or another database that is empty."""
    (home / "db").mkdir(parents=True)
    shutil.copyfile(empty_database, home / "db" / "senryu.db")
    clock = StoryClock()
    wanted = settings({"home": home, "database_url": database_url, "acme_directory": ScriptedAuthority.directory_url}, {})
    async with AsyncExitStack() as stack:
        vault = Vault([VAULT_KEY])
        db = HeldDatabase(wanted.database_url, vault)
        stack.push_async_callback(db.close)
        blobs = MemoryBlobStore()
        engine = await stack.enter_async_context(MemoryEngine(now=clock.now))
        drains = IdleDrains()
        router, logs, streams = WatchedRouter(), MemoryLogs(), FileStreams(home / "streams")
        intake = await stack.enter_async_context(Intake(outputs=engine, writer=logs, reader=logs, clock=clock))
        supervisor = _supervisor(db, vault, engine, router, logs, streams, intake, clock)
        await supervisor.__aenter__()
        authority = ScriptedAuthority(clock.now)
        certificates = _certificates(db, vault, router, authority, logs, clock)
        builder = ScriptedBuilder(blobs)
        platform = Platform(
            settings=wanted,
            db=db,
            vault=vault,
            signing_key=b"k" * 32,
            blobs=blobs,
            repositories=Repositories(home / "repos"),
            builder=builder,
            engine=engine,
            output=engine,
            router=router,
            log_writer=logs,
            log_reader=logs,
            resolver=HouseResolver(),
            drains=drains,
            certifying=certificates,
            streams=streams,
            supervision=supervisor,
            clock=clock,
        )
        api = _api_of(platform)
        open_terminals(api, Rendezvous(platform, ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)))
        nobody: Any = None
        house = House(platform, api, engine, router, builder, logs, clock, intake, authority, home / "streams", nobody, nobody)
        authority.look = house.challenge
        supervisor.undertake("certificates", certificates.run())
        _undertake_sleep(supervisor, db, router, logs, clock)
        house.operator = await house.person("operator@example.com", is_operator=True)
        house.owner = await house.person("owner@example.com")
        try:
            yield house
        finally:
            await house.supervisor.__aexit__()
        assert db.broken == []
