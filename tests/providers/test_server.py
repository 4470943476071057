"""Which server databases are on."""

from __future__ import annotations

from pathlib import Path

import pytest

from senryu.agent import postgres
from senryu.core.data_server import DataServer
from senryu.core.errors import Invalid
from senryu.providers.postgres import GivenServer, OwnServer
from senryu.providers.postgres.connect import connected

from .conftest import local_server


class Servers:
    """In place of the agent: runs one, and counts how often it was asked to."""

    def __init__(self, place: postgres.Place) -> None:
        self.place, self.asked = place, 0

    async def run_data(self, kind: str) -> DataServer:
        assert kind == "postgres"
        self.asked += 1
        return postgres.Program(self.place).run()


@pytest.mark.postgres
@pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="PostgreSQL's server is not installed")
async def test_a_server_is_asked_for_only_when_it_does_not_answer_where_it_was() -> None:
    with local_server() as local:
        servers = Servers(local.place)
        server = OwnServer(servers)  # type: ignore[arg-type]
        for _ in range(3):
            async with connected(server) as (admin, _where):
                assert await admin.fetchval("SELECT 6 * 7") == 42
        assert servers.asked == 1
        postgres.stop(local.place)
        async with connected(server) as (admin, _where):
            assert await admin.fetchval("SELECT 6 * 7") == 42
        assert servers.asked == 2


async def test_an_administrators_url_is_taken_apart() -> None:
    reached = await GivenServer("postgres://ad%40min:p%2Fw@db.example.com/").reached()
    assert reached.admin == {"host": "db.example.com", "port": 5432, "user": "ad@min", "password": "p/w"}
    assert (reached.host, reached.port) == ("db.example.com", 5432)


@pytest.mark.parametrize("url", ["http://x@y", "postgres://host/", "db.example.com"])
def test_what_is_no_such_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        GivenServer(url)
    assert url not in refused.value.message
