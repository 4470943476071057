"""The floor plan in code: `senryud` puts the rooms together and opens the doors. The only file that knows them all."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TextIO, cast

import structlog
from uvicorn.config import Config
from uvicorn.server import Server

from .actions.deliver import Deliveries
from .actions.destroy import clear_all_away
from .actions.fork_database import abandon as abandon_fork
from .actions.keep_backups import keep_backups
from .actions.keep_certificates import CertificateLoop
from .actions.keep_databases import DatabaseLoop
from .actions.keep_quotas import keep_all_quotas
from .actions.meter import keep_usage, keep_usage_once
from .actions.parts import Releasing
from .actions.push import authorize_push, push
from .actions.recover import recover
from .actions.retain import retain
from .actions.run_jobs import keep_schedule
from .actions.sleep import Sleeping, have_apps_sleep, wake_apps
from .actions.supervise import Supervisor
from .actions.transfers import Transfers
from .api.front_door import front_door, open_terminals
from .api.parts import clearing, deploying, releasing, waking
from .api.rendezvous import Rendezvous
from .authorities.acme import AcmeAuthority
from .blobs.disk import DiskBlobStore
from .builders.container import ContainerBuilder
from .config import Settings
from .core.add_on import Suppliers
from .core.clock import Clock
from .core.codes import router_line
from .core.errors import NotFound, PlatformError
from .core.log_drain import LogDrain
from .engines.container import ContainerArchivePrograms, ContainerEngine, ContainerHistory
from .git.door import GitDoor
from .git.repository import Repositories
from .git.target import Output, PushTarget
from .install.prepare import router_settings
from .logs.drains import Drains
from .logs.history import FileLogs
from .logs.intake import Intake
from .logs.streams import FileStreams
from .platform import Platform
from .poster import JudgedPoster
from .providers.postgres import PostgresDatabases, PostgresMoving
from .providers.redis import RedisSupplier
from .resolver import SystemResolver
from .routers.haproxy import HAProxyRouter
from .store.apps import find_app
from .store.database import Database
from .store.log_drains import list_log_drains
from .store.vault import Vault, vault_at
from .supply import look_after_add_ons, own_suppliers, postgres_following, postgres_server, registered_partners
from .words import Words

_CERTIFICATE_LOOK_S = 3600.0
_log = structlog.get_logger("senryud")


class SystemClock:
    """The real time."""

    def __init__(self) -> None:
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See Clock."""
        return monotonic()

    def boot(self) -> str:
        """See Clock."""
        return self._boot

    async def sleep(self, delay_s: float) -> None:
        """See Clock."""
        await asyncio.sleep(delay_s)


def buildpacks_dir() -> Path:
    """The built-in buildpacks: beside the installed package, or in the checkout."""
    package = Path(__file__).parent
    installed = package / "buildpacks"
    return installed if installed.is_dir() else package.parents[1] / "buildpacks"


def signing_key(path: Path) -> bytes:
    """The key of links and log sessions, made with mode 0600 when there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
    return path.read_bytes()


def only_one(home: Path) -> TextIO:
    """Holds the home for this process as long as the file is open. Raises: SystemExit when another senryud has it."""
    path = home / "run" / "senryud.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"senryud: another senryud already serves {home}; stop it first, or use another SENRYU_HOME.")
    return file


@dataclass(frozen=True, slots=True)
class Storehouse:
    """What is kept."""

    db: Database
    vault: Vault
    blobs: DiskBlobStore
    streams: FileStreams
    logs: FileLogs


@asynccontextmanager
async def _storehouse(settings: Settings) -> AsyncIterator[Storehouse]:
    home, db = settings.home, Database(settings.database_url)
    async with AsyncExitStack() as house:
        house.push_async_callback(db.close)
        logs = await house.enter_async_context(FileLogs(home / "logs"))
        vault = vault_at(home / "secrets" / "vault.key")
        yield Storehouse(db, vault, DiskBlobStore(home / "blobs"), FileStreams(home / "streams"), logs)


@asynccontextmanager
async def platform_at(settings: Settings) -> AsyncIterator[Platform]:
    """Every room, set up and running."""
    home, clock = settings.home, SystemClock()
    async with AsyncExitStack() as house:
        kept = await house.enter_async_context(_storehouse(settings))
        db, vault, logs = kept.db, kept.vault, kept.logs
        engine = await house.enter_async_context(ContainerEngine(home))
        router = await house.enter_async_context(HAProxyRouter(router_settings(settings)))
        intake = await house.enter_async_context(Intake(outputs=engine, writer=logs, reader=logs, clock=clock))
        intake.follow_router(router, router_line)
        resolver = SystemResolver()
        house.callback(resolver.close)
        drains = await house.enter_async_context(_drains(settings, db, vault, logs, resolver, clock))
        builder = ContainerBuilder(engine, engine, kept.blobs, home=home, buildpacks_dir=buildpacks_dir(), tools_dir=home / "tools")
        await keep_usage_once(db=db, clock=clock)  # before anybody reads what ran: what the machine's end ended did not run since
        supervisor = await house.enter_async_context(_supervisor(settings, kept, engine, router, intake, clock))
        authority = _authority(settings)
        certificates = CertificateLoop(db=db, vault=vault, router=router, authority=authority, log_writer=logs, clock=clock)
        suppliers = own_suppliers(settings, engine)
        platform = Platform(
            settings=settings,
            db=db,
            vault=vault,
            signing_key=signing_key(home / "secrets" / "signing.key"),
            blobs=kept.blobs,
            repositories=Repositories(home / "repos"),
            builder=builder,
            engine=engine,
            output=engine,
            router=router,
            log_writer=logs,
            log_reader=logs,
            resolver=resolver,
            drains=drains,
            certifying=certificates,
            streams=kept.streams,
            supervision=supervisor,
            clock=clock,
            suppliers=suppliers,
            databases=PostgresDatabases(postgres_server(settings, engine)),
            following=postgres_following(settings, engine),
            stores=RedisSupplier(engine),
            objects=engine,
            partners=await registered_partners(settings, db, vault, resolver, clock, suppliers),
            transfers=_transfers(settings, kept, supervisor, suppliers, engine, clock),
        )
        db.on_news = (await house.enter_async_context(_deliveries(platform))).wake
        _undertake_chores(platform, supervisor, builder)
        supervisor.undertake("certificates", certificates.run())
        yield platform


def _drains(settings: Settings, db: Database, vault: Vault, logs: FileLogs, resolver: SystemResolver, clock: SystemClock) -> Drains:
    async def every_drain() -> Sequence[LogDrain]:
        async with db.reading() as tx:
            return await list_log_drains(tx, vault=vault)

    return Drains(
        wanted=every_drain,
        directory=settings.home / "logs" / "drains",
        reader=logs,
        writer=logs,
        resolver=resolver,
        clock=clock,
        allow_private=settings.allow_private_drains,
    )


def _authority(settings: Settings) -> AcmeAuthority | None:
    url = settings.acme_directory_url
    return AcmeAuthority(url, email=settings.acme_email, ca_file=settings.acme_ca_file) if url else None


def _deliveries(platform: Platform) -> Deliveries:
    settings = platform.settings
    poster = JudgedPoster(platform.resolver, allow_private=settings.allow_private_webhooks)

    def urls(app_name: str) -> dict[str, str]:
        return {"git_url": f"{settings.api_url}/{app_name}.git", "web_url": settings.web_url(app_name)}

    return Deliveries(db=platform.db, vault=platform.vault, poster=poster, clock=platform.clock, urls=urls)


def _supervisor(
    settings: Settings, kept: Storehouse, engine: ContainerEngine, router: HAProxyRouter, intake: Intake, clock: SystemClock
) -> Supervisor:
    return Supervisor(
        db=kept.db,
        vault=kept.vault,
        engine=engine,
        output=engine,
        router=router,
        log_writer=kept.logs,
        streams=kept.streams,
        followers=intake,
        clock=clock,
        platform_domain=settings.domain,
    )


def _transfers(
    settings: Settings, kept: Storehouse, supervision: Supervisor, suppliers: Suppliers, engine: ContainerEngine, clock: Clock
) -> Transfers:
    db, vault, size = kept.db, kept.vault, settings.default_size
    releasing = Releasing(db=db, log_writer=kept.logs, clock=clock, supervision=supervision, default_size=size, vault=vault)
    history = None if settings.postgres_admin_url else ContainerHistory(settings.home)
    movables = {"heroku-postgresql": PostgresMoving(postgres_server(settings, engine), history)}
    programs = ContainerArchivePrograms(settings.home)
    abandon = partial(abandon_fork, suppliers=suppliers, **releasing)
    return Transfers(db, vault, clock, kept.blobs, supervision, suppliers, programs, movables, abandon)


def _undertake_chores(platform: Platform, supervisor: Supervisor, builder: ContainerBuilder) -> None:
    recovery = recover(db=platform.db, log_writer=platform.log_writer, clock=platform.clock, began=platform.clock.now())
    supervisor.undertake("recovery", recovery)
    logs, clock = platform.log_reader, platform.clock
    kept = retain(db=platform.db, vault=platform.vault, blobs=platform.blobs, streams=platform.streams, log_reader=logs, clock=clock)
    supervisor.undertake("retain", kept)
    sleeping = Sleeping(**waking(platform), router=platform.router)
    supervisor.undertake("sleep", have_apps_sleep(**sleeping))
    supervisor.undertake("wake", wake_apps(**sleeping))
    supervisor.undertake("usage", keep_usage(db=platform.db, suppliers=platform.suppliers, clock=platform.clock))
    if platform.objects is not None:
        supervisor.undertake("quotas", keep_all_quotas(server=platform.objects, router=platform.router, clock=platform.clock))
    supervisor.undertake("clear-builds", builder.clear_away())
    supervisor.undertake("add-ons", look_after_add_ons(platform))
    if platform.databases is not None:
        kept_databases = DatabaseLoop(databases=platform.databases, suppliers=platform.suppliers, **releasing(platform))
        supervisor.undertake("databases", kept_databases.run())
    if platform.transfers is not None:
        supervisor.undertake("backups", keep_backups(platform.transfers))
    supervisor.undertake("scheduler", keep_schedule(**releasing(platform)))
    supervisor.undertake("clear-away", clear_all_away(platform.clock, **clearing(platform)))


def git_door(platform: Platform) -> GitDoor:
    """The side door: pushes come in as the actions `authorize_push` and `push`."""

    async def authorize(app_name: str, username: str, password: str, *, wants_push: bool) -> PushTarget:
        app, account = await authorize_push(app_name, password or username, db=platform.db, clock=platform.clock)
        return PushTarget(app.id, app.name, account)

    async def deploy(target: PushTarget, commit: str, source: AsyncIterator[bytes], output: Output) -> None:
        async with platform.db.reading() as tx:
            app = await find_app(tx, target.app_id)
        if app is None:
            raise NotFound("Couldn't find that app.")
        web_url = platform.settings.web_url(app.name)
        await push(app, commit, source, output, by=target.account, web_url=web_url, blobs=platform.blobs, **deploying(platform))

    return GitDoor(authorize=authorize, deploy=deploy, repositories=platform.settings.home / "repos")


async def keep_fresh(certificate: ssl.SSLContext, file: Path, clock: Clock) -> None:
    """The router renews the platform's certificate; terminals are shown the new one from the next look on. For ever."""
    while True:
        await clock.sleep(_CERTIFICATE_LOOK_S)
        try:
            certificate.load_cert_chain(file)
        except OSError as problem:  # ssl.SSLError too
            _log.warning("certificate of terminals not renewed", reason=str(problem))


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT."""
    async with AsyncExitStack() as house:
        platform = await house.enter_async_context(platform_at(settings))
        door = await house.enter_async_context(git_door(platform))
        api = front_door(platform, door.routes)
        certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own = settings.home / "tls" / "certs" / "default.pem"
        certificate.load_cert_chain(own)
        platform.supervision.undertake("terminals-certificate", keep_fresh(certificate, own, platform.clock))
        open_terminals(api, await house.enter_async_context(Rendezvous(platform, certificate)))
        socket = settings.home / "run" / "senryud.sock"
        config = Config(
            api,
            uds=str(socket),
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
        )
        _log.info("serving", home=str(settings.home), port=settings.port, tls_port=settings.tls_port)
        await _until_told(Server(config), socket)


async def _until_told(server: Server, socket: Path) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    socket.unlink(missing_ok=True)
    await server._serve()  # serve() would put its own signal handlers in place of ours


def run(settings: Settings) -> int:
    """`senryud`: gives the exit status."""
    import uvloop

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, Words())),
        cache_logger_on_first_use=True,
    )
    os.umask(0o007)
    lock = only_one(settings.home)
    try:
        uvloop.run(serve(settings))
    except PlatformError as problem:
        print(f"senryud: {problem.message}", file=sys.stderr)
        return 1
    finally:
        lock.close()
    return 0
