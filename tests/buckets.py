"""A real S3 server behind a real HAProxy, run as the agent and the starter run them, and real clients of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from botocore.config import Config

from routers.rig import running_haproxy
from senryu.agent import objects
from senryu.agent.front import Front
from senryu.core.add_on import Plan
from senryu.core.limits import MIB
from senryu.core.object_store import BucketOrder, BucketUse, bucket_of, rooms
from senryu.providers.objects import OBJECTS, ObjectsSupplier
from senryu.routers.haproxy import HAProxyRouter

HOST = "objects.localhost"
SMALL = Plan("senryu-objects", "test", "Test", 0, {"bytes": 8 * MIB})


class Server:
    """ObjectServer, done by the agent's own code in this process."""

    def __init__(self, program: objects.Program) -> None:
        self._program = program

    async def make_bucket(self, order: BucketOrder) -> None:
        await asyncio.to_thread(self._program.run)
        await asyncio.to_thread(self._program.make_bucket, order)

    async def limit_bucket(self, bucket: str, quota_bytes: int) -> None:
        await asyncio.to_thread(self._program.limit_bucket, bucket, quota_bytes)

    async def remove_bucket(self, bucket: str) -> None:
        await asyncio.to_thread(self._program.remove_bucket, bucket)

    async def bucket_uses(self) -> list[BucketUse]:
        return await asyncio.to_thread(self._program.bucket_uses)


class Store:
    """Object storage as apps have it: at `endpoint`."""

    def __init__(self, program: objects.Program, place: objects.Place, router: HAProxyRouter, port: int) -> None:
        self.program, self.place, self.router, self.port = program, place, router, port
        self.endpoint = f"http://{HOST}:{port}"
        self.server = Server(program)
        self.supplier = ObjectsSupplier(OBJECTS, self.server, self.endpoint)

    async def bucket(self, plan: Plan = SMALL, **options: str) -> Bucket:
        """A new add-on."""
        id = uuid4()
        return Bucket(id, await self.supplier.provision(id, plan, {key.replace("_", "-"): value for key, value in options.items()}))

    async def told(self) -> None:
        """What the platform does every few seconds."""
        await self.router.set_rooms(rooms(await self.server.bucket_uses()))

    def kill(self) -> None:
        """kill -9; the agent would start it again."""
        os.kill(int((self.place.root / "pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while self.program.is_running():
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Bucket:
    """An add-on of a tenant's, and the clients that its config vars make."""

    def __init__(self, id: UUID, config: Mapping[str, str]) -> None:
        self.id, self.config, self.name = id, config, bucket_of(id)
        self.s3: Any = client(config)


def client(config: Mapping[str, str], **options: Any) -> Any:
    """boto3's, which does not try again by itself: what it is told is what a test sees."""
    return boto3.client(
        "s3",
        endpoint_url=config["ENDPOINT_URL_S3"],
        aws_access_key_id=config["ACCESS_KEY_ID"],
        aws_secret_access_key=config["SECRET_ACCESS_KEY"],
        region_name=config["REGION"],
        config=Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=60, **options),
    )


@asynccontextmanager
async def running_store() -> AsyncIterator[Store]:
    """Everything is gone afterwards."""
    async with running_haproxy(idle_timeout_s=60.0, header_timeout_s=30.0, first_byte_timeout_s=30.0) as (rig, router):
        home = rig.settings.home
        home.chmod(0o755)
        place = objects.Place(home / "data" / "objects", "root", "127.0.0.1", Front(HOST, (rig.settings.port,)), owner="nobody")
        program = objects.Program(place)
        try:
            await asyncio.to_thread(program.run)
            yield Store(program, place, router, rig.settings.port)
        finally:
            objects.stop(place.root)
            shutil.rmtree(place.root, ignore_errors=True)


@contextmanager
def names_of_objects() -> Iterator[None]:
    """This machine's resolver may not know names below localhost."""
    real = socket.getaddrinfo

    def known(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return real("127.0.0.1" if name.endswith(HOST) else host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", known)
        yield


def data_files(store: Store, bucket: str) -> list[Path]:
    """The bucket's on the disk."""
    return sorted((store.place.root / "data").glob(f"{bucket}_*"))
