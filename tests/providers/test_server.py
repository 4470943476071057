"""Which server databases are on."""

from __future__ import annotations

import pytest

from senryu.core.errors import Invalid
from senryu.providers.postgres import GivenServer


async def test_an_administrators_url_is_taken_apart() -> None:
    reached = await GivenServer("postgres://ad%40min:p%2Fw@db.example.com/").reached()
    assert reached.admin == {"host": "db.example.com", "port": 5432, "user": "ad@min", "password": "p/w"}
    assert (reached.host, reached.port) == ("db.example.com", 5432)


@pytest.mark.parametrize("url", ["http://x@y", "postgres://host/", "db.example.com"])
def test_what_is_no_such_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        GivenServer(url)
    assert url not in refused.value.message
