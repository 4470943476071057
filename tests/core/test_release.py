from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from senryu.core.dyno_size import SIZES, size_named
from senryu.core.errors import Invalid
from senryu.core.release import (
    Release,
    ReleaseStatus,
    checked_rollback,
    current,
    expiring,
    is_eligible_for_rollback,
    needs_release_phase,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SLUG = UUID(int=1)


def _release(version: int, status: ReleaseStatus = ReleaseStatus.SUCCEEDED, *, slug: UUID | None = SLUG, days_old: float = 0) -> Release:
    at = NOW - timedelta(days=days_old)
    return Release(uuid4(), UUID(int=2), version, status, "x", UUID(int=3), {}, {}, slug, "c" if slug else None, "host", True, at, at)


def test_the_current_release_is_the_newest_that_succeeded() -> None:
    releases = [_release(3, ReleaseStatus.FAILED), _release(1), _release(4, ReleaseStatus.PENDING), _release(2)]
    found = current(releases)
    assert found is not None and found.version == 2
    assert current(releases[:1]) is None
    assert current([]) is None


def test_a_release_phase_runs_when_there_is_code_and_a_command() -> None:
    assert needs_release_phase({"release": "x"}, SLUG)
    assert not needs_release_phase({"release": "x"}, None)
    assert not needs_release_phase({"web": "x"}, SLUG)


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (_release(1, slug=None), "no app deployed"),
        (_release(2, ReleaseStatus.EXPIRED), "expired"),
        (_release(3, ReleaseStatus.FAILED), "failed"),
        (_release(4, ReleaseStatus.PENDING), "pending"),
    ],
)
def test_one_cannot_go_back_to_what_never_worked_or_is_gone(release: Release, words: str) -> None:
    assert not is_eligible_for_rollback(release)
    with pytest.raises(Invalid, match=words):
        checked_rollback(release)


def test_one_can_go_back_to_what_worked_the_current_one_included() -> None:
    assert is_eligible_for_rollback(_release(1))
    assert checked_rollback(_release(1)).version == 1


def test_slugs_of_the_last_20_or_of_30_days_or_current_are_kept() -> None:
    old = [_release(version, days_old=60) for version in range(1, 31)]
    assert sorted(release.version for release in expiring(old, NOW)) == list(range(1, 11))
    assert expiring([_release(version, days_old=29) for version in range(1, 31)], NOW) == []
    assert expiring(old[:20], NOW) == []
    gone = [_release(version, ReleaseStatus.EXPIRED, days_old=60) for version in range(1, 11)]
    assert expiring([*gone, *old[10:]], NOW) == []


def test_beyond_the_last_20_slugs_are_kept_as_long_as_all_are_within_the_budget() -> None:
    slugs = [UUID(int=100 + version) for version in range(1, 41)]
    young = [_release(version, slug=slug, days_old=1) for version, slug in enumerate(slugs, 1)]
    sizes = dict.fromkeys(slugs, 10)
    assert [release.version for release in expiring(young, NOW, sizes, 300)] == list(range(10, 0, -1))
    assert [release.version for release in expiring(young, NOW, sizes, 0)] == list(range(20, 0, -1))
    shared = [_release(version, days_old=1) for version in range(1, 41)]
    assert expiring(shared, NOW, {SLUG: 10}, 10) == []


def test_the_serving_release_never_expires_however_many_failed_after_it() -> None:
    failed = [_release(version, ReleaseStatus.FAILED, days_old=40) for version in range(2, 40)]
    assert 1 not in {release.version for release in expiring([_release(1, days_old=60), *failed], NOW)}


def test_releases_without_code_neither_count_nor_expire() -> None:
    config_only = [_release(version, slug=None, days_old=60) for version in range(1, 40)]
    assert expiring(config_only, NOW) == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [("eco", "Eco"), ("BASIC", "Basic"), ("hobby", "Basic"), ("1x", "Standard-1X"), ("dyno-2X", "Standard-2X"), (" eco ", "Eco")],
)
def test_a_size_is_found_however_it_is_typed(typed: str, name: str) -> None:
    assert size_named(typed).name == name


def test_sizes_have_ids_of_their_own_and_unknown_ones_are_refused_with_a_list() -> None:
    assert len({size.id for size in SIZES.values()}) == len(SIZES)
    with pytest.raises(Invalid) as refused:
        size_named("huge")
    assert all(size.name in refused.value.message for size in SIZES.values())
