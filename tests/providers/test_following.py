"""A copy of a real server that follows it, run as the agent runs it: what tenants find there, and what they do not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from senryu.agent import postgres, standby
from senryu.core.add_on import Given
from senryu.core.data_server import DataServer
from senryu.core.errors import Invalid, Unavailable
from senryu.providers.postgres import SERVICE, PostgresSupplier, Reached
from senryu.providers.postgres.following import PostgresFollowing
from system.rig import free_ports

from .conftest import NEEDED, Local, connected, local_server, provisioned

pytestmark = NEEDED
STANDARD = SERVICE.plan("standard-0")
_DEADLINE_S = 60.0


@dataclass
class Pair:
    """A server and its copy, in place of an agent."""

    leader: Local
    place: postgres.Place
    program: standby.Program

    async def reached(self) -> Reached:
        return await self.leader.reached()

    async def run_data(self, kind: str) -> DataServer:
        assert kind == "postgres-standby"
        return self.program.run()

    async def end_standby(self) -> None:
        self.program.remove()

    async def standby_bytes(self) -> int:
        return self.program.used_bytes()

    def ready(self) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            try:
                if self.program.run().is_ready:
                    return
            except Unavailable:  # as whoever looks after it, it comes again
                if time.monotonic() > deadline:
                    raise
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def pid(self) -> int:
        return int((self.place.data / "postmaster.pid").read_text().splitlines()[0])


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with local_server() as leader:
        mine = leader.place
        place = postgres.Place(
            mine.root.parent / "standby", mine.address, mine.subnet, mine.platform_user, mine.owner, free_ports(1)[0], leader=mine
        )
        program = standby.Program(place, mine, mine.root.parent / "standby-copy")
        try:
            yield Pair(leader, place, program)
        finally:
            program.stop()


@pytest.fixture
def following(pair: Pair) -> PostgresFollowing:
    return PostgresFollowing(pair.leader, pair)


async def _eventually(url: str, statement: str, wanted: object) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        async with connected(url) as reading:
            found = await reading.fetchval(statement)
        if found == wanted:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


async def _followed(supplier: PostgresSupplier, pair: Pair, url: str) -> str:
    while isinstance(given := await supplier.provision(uuid4(), STANDARD, {"follow": url}), Given):
        pair.ready()
    return given["URL"]


async def test_a_follower_has_what_its_leader_has_and_cannot_be_written_to(pair: Pair, following: PostgresFollowing) -> None:
    supplier = PostgresSupplier(pair.leader, following)
    _, url = await provisioned(supplier)
    _, other = await provisioned(supplier)
    async with connected(url) as writing:
        await writing.execute("CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('before')")
    follower = await _followed(supplier, pair, url)
    assert (urlsplit(follower).port, urlsplit(follower).path) == (pair.place.port, urlsplit(url).path)
    await _eventually(follower, "SELECT count(*) FROM pictures", 1)
    async with connected(url) as writing:
        await writing.execute("INSERT INTO pictures VALUES ('after')")
    await _eventually(follower, "SELECT count(*) FROM pictures", 2)
    async with connected(follower) as reading:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reading.execute("INSERT INTO pictures VALUES ('never')")
    stranger = urlsplit(other)
    with pytest.raises(asyncpg.PostgresError):
        async with connected(f"postgres://{stranger.username}:{stranger.password}@{pair.place.address}:{pair.place.port}{urlsplit(url).path}"):
            pass
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(follower, ssl=False, timeout=20)
    assert await following.behind() is not None
    assert await following.used_bytes() > 0


async def test_a_copy_whose_process_is_killed_goes_on_and_one_that_lost_its_place_is_made_anew(
    pair: Pair, following: PostgresFollowing
) -> None:
    supplier = PostgresSupplier(pair.leader, following)
    _, url = await provisioned(supplier)
    follower = await _followed(supplier, pair, url)
    killed = pair.pid()
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + _DEADLINE_S
    while pair.program.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pair.ready()
    assert pair.pid() != killed
    async with connected(url) as writing:
        await writing.execute("CREATE TABLE after_the_kill (n int)")
    await _eventually(follower, "SELECT count(*) FROM pg_class WHERE relname = 'after_the_kill'", 1)
    (mark := pair.place.data / "mark").touch()
    pair.program._drop_slot()
    pair.ready()
    assert not mark.exists()
    async with connected(url) as writing:
        await writing.execute("CREATE TABLE after_the_loss (n int)")
    await _eventually(follower, "SELECT count(*) FROM pg_class WHERE relname = 'after_the_loss'", 1)


async def test_nothing_is_left_of_a_copy_that_ended(pair: Pair, following: PostgresFollowing) -> None:
    pair.ready()
    await following.end()
    await following.end()
    assert not pair.place.root.exists()
    assert not pair.program.is_running()
    assert pair.program._asked("SELECT count(*) FROM pg_replication_slots") == "0"
    assert await following.used_bytes() == 0


async def test_a_server_of_the_operators_is_not_followed(server: Local) -> None:
    with pytest.raises(Invalid, match="fork"):
        await PostgresSupplier(server).provision(uuid4(), STANDARD, {"follow": "postgres://u:p@h/d"})
