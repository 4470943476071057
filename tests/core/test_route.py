"""What becomes of an app's requests, by what its dynos are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from senryu.core.dyno import Dyno, DynoKind, DynoState
from senryu.core.route import RouteMode, RouteTarget, hosts_of, mode_of, page_url, targets_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB = Dyno(
    id=uuid4(),
    app_id=uuid4(),
    kind=DynoKind.FORMATION,
    type="web",
    number=1,
    release_id=uuid4(),
    release_version=2,
    command="serve",
    size="Standard-1X",
    state=DynoState.UP,
    port=5000,
    created_at=NOW,
    changed_at=NOW,
)


def mode(*web: Dyno, quantity: int = 1, has_code: bool = True, is_maintenance: bool = False, is_serving: bool = False) -> RouteMode:
    return mode_of(quantity, web, has_code=has_code, is_maintenance=is_maintenance, is_serving=is_serving)


def test_an_app_without_code_is_blank_whatever_else_is_said() -> None:
    assert mode(has_code=False, is_maintenance=True) is RouteMode.BLANK


def test_maintenance_hides_running_dynos() -> None:
    assert mode(WEB, is_maintenance=True, is_serving=True) is RouteMode.MAINTENANCE


def test_a_serving_dyno_serves_even_when_scaled_to_none() -> None:
    assert mode(WEB, quantity=0, is_serving=True) is RouteMode.SERVE


def test_web_scaled_to_none_is_stopped() -> None:
    assert mode(quantity=0) is RouteMode.STOPPED


def test_visitors_wait_for_a_first_boot_and_for_the_restart_after_a_first_crash() -> None:
    assert mode() is RouteMode.BOOT
    assert mode(replace(WEB, state=DynoState.STARTING)) is RouteMode.BOOT
    assert mode(replace(WEB, state=DynoState.STARTING, crashes=1)) is RouteMode.BOOT
    assert mode(replace(WEB, state=DynoState.CRASHED, crashes=1)) is RouteMode.BOOT


def test_visitors_are_told_of_a_dyno_that_crashes_again_and_again() -> None:
    assert mode(replace(WEB, state=DynoState.CRASHED, crashes=2)) is RouteMode.CRASHED
    assert mode(replace(WEB, state=DynoState.STARTING, crashes=2)) is RouteMode.CRASHED


def test_only_dynos_that_are_up_and_have_an_address_are_targets() -> None:
    draining = replace(WEB, id=uuid4(), drained_at=NOW)
    stopped = replace(WEB, id=uuid4(), stopped_at=NOW)
    booting = replace(WEB, id=uuid4(), state=DynoState.STARTING)
    unknown = replace(WEB, id=uuid4())
    addresses = {dyno.id: "10.64.0.2:5000" for dyno in (WEB, draining, stopped, booting)}
    assert targets_of([WEB, draining, stopped, booting, unknown], addresses) == (
        RouteTarget(WEB.id, "web.1", "10.64.0.2:5000"),
        RouteTarget(draining.id, "web.1", "10.64.0.2:5000", True),
    )


def test_an_app_answers_to_its_own_name_in_lower_case_and_to_its_domains() -> None:
    assert hosts_of("myapp", "Example.COM", ["www.a.test"]) == ("myapp.example.com", "www.a.test")


@pytest.mark.parametrize("url", ["https://errors.example.com", "http://a.test:8080/page.html?x=1&y=%20#top"])
def test_an_absolute_web_address_may_stand_in_for_a_page(url: str) -> None:
    assert page_url(url) == url


@pytest.mark.parametrize(
    "url",
    [None, "", "page.html", "//a.test", "javascript:alert(1)", 'https://a.test/"onload=', "https://a.test/\n", "https://" + "a" * 3000],
)
def test_anything_else_is_ignored_and_the_built_in_page_is_shown(url: str | None) -> None:
    assert page_url(url) is None
