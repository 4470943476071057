from __future__ import annotations

import pytest

from senryu.cli.failure import Failure
from senryu.cli.sizes import change

from .conftest import Senryu
from .fake_api import FakeApi


@pytest.mark.parametrize(
    ("word", "sent"),
    [
        ("memory=1g", ("memory_bytes", 2**30)),
        ("memory=512MB", ("memory_bytes", 512 * 2**20)),
        ("price=12.5", ("price_cents", 1250)),
        ("price=9", ("price_cents", 900)),
        ("hours=550", ("pool_hours", 550)),
        ("offered=no", ("is_offered", False)),
        ("pids=64", ("pids", 64)),
    ],
)
def test_a_size_is_changed_in_words(word: str, sent: tuple[str, int]) -> None:
    assert change(word) == sent


@pytest.mark.parametrize("word", ["memory", "price=-1", "price=1.234", "memory=much"])
def test_what_says_nothing_is_refused_here(word: str) -> None:
    with pytest.raises(Failure):
        change(word)


def test_the_operators_words_are_sent(api: FakeApi, senryu: Senryu) -> None:
    api.on("PATCH /senryu/dyno-sizes/basic", {})
    assert senryu("sizes:set", "basic", "memory=1g", "price=9").status == 0
    assert api.requests[-1].json == {"memory_bytes": 2**30, "price_cents": 900}
    api.on("PUT /senryu/dyno-sizes/basic/allowed", {})
    assert senryu("sizes:allow", "basic", "a@example.com", "team").status == 0
    assert api.requests[-1].json == {"allowed": ["a@example.com", "team"]}
    assert senryu("sizes:allow", "basic", "--everyone").status == 0
    assert api.requests[-1].json == {"allowed": None}
    assert senryu("sizes:allow", "basic").status != 0
