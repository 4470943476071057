"""Paging by `Range`, the pure part and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house import House
from senryu.api.ranges import cut, page_of
from senryu.core.errors import BadRequest

ITEMS = [{"version": version, "id": f"{version:04d}", "created_at": f"2026-01-01T00:00:{version // 3:02d}Z"} for version in range(1, 31)]
FIELDS = ("version", "id", "created_at")


def _walk(header: str | None, items: list[dict[str, Any]] = ITEMS) -> list[Any]:
    """Every item, page after page, as the CLI asks for them."""
    found: list[Any] = []
    for _ in range(1000):
        taken, header = cut(items, page_of(header, fields=FIELDS))
        found += taken
        if header is None:
            return found
    raise AssertionError("paging never ends")


@pytest.mark.parametrize("most", [1, 2, 7, 1000])
def test_of_one_second_the_newest_comes_first_in_descending_order(most: int) -> None:
    """They are listed oldest first; `builds:cancel` asks for the newest one."""
    assert _walk(f"created_at ..; order=desc,max={most}") == ITEMS[::-1]


@pytest.mark.parametrize(
    "header",
    [
        "version ..; max=10, order=desc",
        "version ..; order=desc,max=1",
        "version ..; order=desc",
        "id ..; max=1000;",
        "id ..",
        "created_at ..; max=15, order=desc",
        "created_at ..; max=1",
        "version ..",
        "",
        "  ",
        None,
    ],
)
def test_every_form_clients_send_leads_to_every_item_once(header: str | None) -> None:
    found = _walk(header)
    assert sorted(item["version"] for item in found) == list(range(1, 31))
    if header and "desc" in header and header.startswith("version"):
        assert [item["version"] for item in found] == list(range(30, 0, -1))


@given(most=st.integers(1, 40), descending=st.booleans(), field=st.sampled_from(FIELDS), times=st.lists(st.integers(0, 3), max_size=40))
def test_pages_hold_every_item_once_also_when_times_are_equal(most: int, descending: bool, field: str, times: list[int]) -> None:
    items = [{"version": n, "id": f"{(n * 7919) % 1000:04d}", "created_at": f"2026-01-01T00:00:0{at}Z"} for n, at in enumerate(times)]
    found = _walk(f"{field} ..; max={most}{', order=desc' if descending else ''}", items)
    assert sorted(item["version"] for item in found) == list(range(len(times)))
    keys = [item[field] for item in found]
    assert keys == sorted(keys, reverse=descending)


@pytest.mark.parametrize(("header", "versions"), [("version 3..5", [3, 4, 5]), ("version ]3..5", [4, 5]), ("version 29..", [29, 30])])
def test_bounds_are_kept(header: str, versions: list[int]) -> None:
    assert [item["version"] for item in _walk(header)] == versions


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-99",
        "nonsense",
        "name ..",
        "version ..; max=x",
        "version ..; max=-1",
        "version ..; max=²",
        "version ..; order=sideways",
        "version ..; color=blue",
        "version a..b",
        "version ²..",
        "version " + "9" * 5000 + "..",
        "version ..; max=" + "9" * 5000,
        "version " + "." * 8000 + " !",
    ],
)
def test_a_range_that_cannot_be_read_is_a_bad_request(header: str) -> None:
    with pytest.raises(BadRequest):
        cut(ITEMS, page_of(header, fields=FIELDS))


async def test_releases_page_by_page_over_http(house: House) -> None:
    await house.create("paged")
    for number in range(4):
        await house.set("paged", COUNT=str(number))
    first = await house.client.get("/apps/paged/releases", headers={"Range": "version ..; order=desc,max=2"})
    assert first.status_code == 206
    assert [release["version"] for release in first.json()] == [5, 4]
    assert first.headers["content-range"] == "version 5..4"
    second = await house.client.get("/apps/paged/releases", headers={"Range": first.headers["next-range"]})
    assert [release["version"] for release in second.json()] == [3, 2]
    last = await house.client.get("/apps/paged/releases", headers={"Range": second.headers["next-range"]})
    assert last.status_code == 200
    assert [release["version"] for release in last.json()] == [1]
    assert "next-range" not in last.headers


@pytest.mark.parametrize("header", [b"nonsense", b"version \xb2..", b"version ..; max=\xb3"])
async def test_a_bad_range_is_answered_400(house: House, header: bytes) -> None:
    await house.create("paged")
    answer = await house.client.get("/apps/paged/releases", headers={b"Range": header})
    assert answer.status_code == 400
    assert answer.json()["id"] == "bad_request"


async def test_an_empty_range_header_means_everything(house: House) -> None:
    await house.create("paged")
    answer = await house.client.get("/apps/paged/releases", headers={"Range": ""})
    assert answer.status_code == 200
    assert len(answer.json()) == 1
