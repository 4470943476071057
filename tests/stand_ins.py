"""Small collaborators of the house in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from senryu.core import procfile
from senryu.core.add_on import AddOnService, Given, Plan, Supplier
from senryu.core.build import Builder, BuildFailed, BuildOrder, Built
from senryu.core.certificate_order import CHALLENGE_PATH, AccountUnknown, Authority, Authorization, PlacedOrder, Refused
from senryu.core.database import Access, Databases, Finding, Look, Usage
from senryu.core.errors import PlatformError, Unavailable
from senryu.core.first_database import wanted_by
from senryu.core.follower import follower_url
from senryu.core.slug import BlobStore, slug_key
from senryu.resolver import SystemResolver


class HouseResolver:
    """Names of tests are public; addresses and this machine are what they are."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        if host.endswith((".example.com", ".example.org")):
            return ["8.8.8.8"]
        return await SystemResolver().addresses(host, port)


class IdleDrains:
    """Counts how often it was woken; tests/logs has the real ones at work."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def signed(hostname: str, key_pem: str, now: datetime, life: timedelta) -> str:
    """A certificate in PEM from an authority that lives for one call."""
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Story CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


class ScriptedAuthority(Authority):
    """Signs what shows its answer at `look` (path to text). Tests fill `refuses` (host to reason) and hold orders by `is_holding`."""

    directory_url = "https://ca.example.com/directory"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.look: Callable[[str], Awaitable[str | None]]
        self.refuses: dict[str, str] = {}
        self.is_away = self.is_holding = False
        self.life = timedelta(days=90)
        self.placed: list[str] = []
        self.accounts: list[str] = []

    def new_key(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    async def register(self, account_key: str) -> str:
        self._answer()
        self.accounts.append(account_key)
        return f"https://ca.example.com/account/{len(self.accounts)}"

    async def place(self, account_key: str, account_url: str, hostname: str, key: str) -> PlacedOrder:
        self._answer()
        if account_key not in self.accounts:
            raise AccountUnknown("no such account")
        self.placed.append(hostname)
        number = len(self.placed)
        return PlacedOrder(f"https://ca.example.com/order/{number}", (Authorization(f"token{number}", f"answer{number}"),))

    async def advance(self, account_key: str, account_url: str, order_url: str, hostname: str, key: str) -> str | None:
        self._answer()
        if hostname in self.refuses:
            raise Refused(self.refuses[hostname])
        if self.is_holding:
            return None
        number = order_url.rpartition("/")[2]
        if await self.look(f"{CHALLENGE_PATH}token{number}") != f"answer{number}":
            raise Refused(f"the answer of order {number} was not seen")
        return signed(hostname, key, self._now(), self.life)

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("The certificate authority does not answer.")


class ScriptedSupplier:
    """A supplier in memory: what it made is in `made`, with what `options`; `fails` is raised by the next call,
    `fails_next` by the one after; `gate` holds provisioning, `gate_out` what takes away, which `asked` counts."""

    def __init__(self, service: AddOnService) -> None:
        self._service = service
        self.made: dict[UUID, str] = {}
        self.options: dict[UUID, Mapping[str, str]] = {}
        self.fails: PlatformError | None = None
        self.fails_next: PlatformError | None = None
        self.gate: asyncio.Event | None = None
        self.gate_out: asyncio.Event | None = None
        self.asked = 0
        self.is_late = False  # with what follows
        self.is_slow = False  # says later what it made
        self.moves = False  # to another URL with each plan

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return self._service

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str] | Given:
        """See Supplier."""
        if self.gate is not None:
            await self.gate.wait()
        self._check()
        if leader := options.get("follow"):
            return Given(None) if self.is_late else {"URL": follower_url(leader, "10.0.0.1", 5433)}
        self.made[id], self.options[id] = plan.slug, options
        return Given(None, f"r-{id}") if self.is_slow else {"URL": f"scripted://{id}"}

    async def change_plan(self, id: UUID, plan: Plan) -> Given | None:
        """See Supplier."""
        self._check()
        self.made[id] = plan.slug
        return Given({"URL": f"scripted://{id}/{plan.slug}"}) if self.moves else None

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""
        self.asked += 1
        if self.gate_out is not None:
            await self.gate_out.wait()
        self._check()
        self.made.pop(id, None)

    def _check(self) -> None:
        failure, self.fails, self.fails_next = self.fails, self.fails_next, None
        if failure is not None:
            raise failure


class ScriptedDatabases:
    """Databases in memory: `sizes`, `connections` and `limits` by add-on, `access` what was allowed, `passwords` by add-on and
    credential; `done` what was asked for, in order; `fails` is raised by the next call that changes a credential."""

    def __init__(self) -> None:
        self.sizes: dict[UUID, int] = {}
        self.access: dict[UUID, Access] = {}
        self.passwords: dict[tuple[UUID, str], str] = {}
        self.done: list[tuple[Any, ...]] = []
        self.fails: PlatformError | None = None
        self.hogs: dict[UUID, int] = {}
        self.connections: dict[UUID, int] = {}
        self.limits: dict[UUID, int] = {}

    async def usage(self, ids: Sequence[UUID]) -> Mapping[UUID, Usage]:
        """See Databases."""
        self.done.append(("usage", *ids))
        return {id: self._usage(id) for id in ids}

    def _usage(self, id: UUID) -> Usage:
        return Usage(self.sizes.get(id, 8_000_000), self.connections.get(id, 1), self.limits.get(id, 20), self.access.get(id, Access.OPEN))

    async def look(self, id: UUID) -> Look:
        """See Databases."""
        return Look(self._usage(id), "15.9", 3, "10.0.0.1", 5432, "d1", {self.role(id, "default"): 1})

    async def allow(self, id: UUID, plan: Plan, access: Access) -> None:
        """See Databases."""
        self.access[id] = access

    async def end_hogs(self, ids: Mapping[UUID, Plan]) -> Mapping[UUID, int]:
        """See Databases."""
        hogs, self.hogs = self.hogs, {}
        return hogs

    async def room(self) -> int:
        """See Databases."""
        return 100

    async def limit_connections(self, id: UUID, most: int) -> int:
        """See Databases."""
        self.done.append(("limit", id, most))
        before = self.connections.get(id, 1)
        self.connections[id], self.limits[id] = min(before, most), most
        return before - self.connections[id]

    async def reset(self, id: UUID, plan: Plan, extensions: Sequence[str]) -> None:
        """See Databases."""
        self.done.append(("reset", id, *extensions))

    async def end_connections(self, id: UUID, credential: str | None = None) -> int:
        """See Databases."""
        self.done.append(("end", id, credential))
        return 1

    async def reset_statistics(self, id: UUID) -> None:
        """See Databases."""
        self.done.append(("statistics", id))

    async def set_credential(self, id: UUID, plan: Plan, name: str, password: str) -> Mapping[str, str]:
        """See Databases."""
        self._check()
        self.passwords[id, name] = password
        return {"URL": f"postgres://{self.role(id, name)}:{password}@10.0.0.1:5432/d1"}

    async def drop_credential(self, id: UUID, name: str) -> None:
        """See Databases."""
        self._check()
        self.passwords.pop((id, name), None)

    async def repair_default(self, id: UUID) -> None:
        """See Databases."""
        self.done.append(("repair", id))

    def role(self, id: UUID, credential: str) -> str:
        """See Databases."""
        return f"u-{credential}"

    async def settings(self, id: UUID) -> Mapping[str, str]:
        """See Databases."""
        return {"log_statement": "none", "log_min_duration_statement": "-1", "log_lock_waits": "off", "track_functions": "none"}

    async def set(self, id: UUID, name: str, value: str) -> None:
        """See Databases."""
        self.done.append(("set", name, value))

    async def diagnose(self, id: UUID, plan: Plan) -> Sequence[Finding]:
        """See Databases."""
        return [Finding("Connection Count", "green", []), Finding("Long Queries", "yellow", [{"pid": "7"}])]

    def _check(self) -> None:
        failure, self.fails = self.fails, None
        if failure is not None:
            raise failure


_databases: type[Databases] = ScriptedDatabases
_supplier: type[Supplier] = ScriptedSupplier


class ScriptedBuilder:
    """Builds tarballs by their Procfile. A file `fail` makes the build fail with its words; `gate` holds builds until it is set."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.gate: asyncio.Event | None = None
        self.orders: list[BuildOrder] = []
        self.purged: list[UUID] = []
        self.config_vars: dict[str, str] = {}

    async def build(self, order: BuildOrder, output: Callable[[bytes], Awaitable[None]]) -> Built:
        self.orders.append(order)
        await output(b"-----> Scripted app detected\n")
        if self.gate is not None:
            await self.gate.wait()
        content = b"".join([chunk async for chunk in self._blobs.get(order.source.key)])
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as tar:
            files = {entry.name: (tar.extractfile(entry) or io.BytesIO()).read() for entry in tar.getmembers() if entry.isfile()}
        if "fail" in files:
            raise BuildFailed(files["fail"].decode())
        checksum = hashlib.sha256(content).hexdigest()
        await self._blobs.put(slug_key(checksum), self._blobs.get(order.source.key), max_bytes=10**9)
        types = procfile.parse(files.get("Procfile", b""))
        packs = tuple(pack.url for pack in order.buildpacks) or ("heroku/scripted",)
        reason = wanted_by(files)
        return Built(checksum, len(content), types, packs, "Scripted", self.config_vars, database_wanted_by=reason)

    async def purge_cache(self, app_id: UUID) -> None:
        self.purged.append(app_id)


_builder: type[Builder] = ScriptedBuilder
