"""The steps of a formation, replayed as histories: a world of dynos that obey, crash or refuse, and a clock that jumps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from senryu.core import limits
from senryu.core.dyno import Dyno, DynoKind, DynoState, ObservedDyno
from senryu.core.formation import (
    Become,
    Drain,
    FailRelease,
    Forget,
    Kill,
    ProcessType,
    Retire,
    Start,
    Step,
    Terminate,
    Wanted,
    backoff_s,
    lives_for_s,
    next_look_s,
    quantities,
    steps,
)
from senryu.core.release import Release, ReleaseStatus

APP = uuid4()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def make_release(version: int, *, brings_code: bool = True) -> Release:
    return Release(
        id=uuid4(),
        app_id=APP,
        version=version,
        status=ReleaseStatus.SUCCEEDED,
        description="",
        user_id=uuid4(),
        config_vars={},
        process_types={"web": "serve", "worker": "work"},
        slug_id=uuid4(),
        slug_checksum="0" * 64,
        stack="host",
        brings_code=brings_code,
        created_at=BEGIN,
        updated_at=BEGIN,
    )


class World:
    """What steps are carried out on: records, an engine's view of them, a clock; and what programs do by release version."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.dynos: dict[UUID, Dyno] = {}
        self.seen: dict[UUID, ObservedDyno] = {}
        self.active: dict[UUID, int] = {}
        self.wanted = Wanted(None)
        self.has_preboot = True
        self.boots: dict[int, str] = {}  # version -> listens | crashes | hangs
        self.polite = True
        self.told: list[str] = []
        self.serving_history: list[set[int]] = []

    def want(self, release: Release | None, **counts: int) -> None:
        self.wanted = Wanted(release, counts, self.has_preboot)

    def settle(self, seconds: float = 0.0) -> None:
        """Steps until there are none, then lets time pass in looks until `seconds` are over."""
        end = self.now + timedelta(seconds=seconds)
        while True:
            for _ in range(200):
                todo = steps(self.wanted, list(self.dynos.values()), self.seen, self.now, self.active)
                if not todo:
                    break
                for step in todo:
                    self.carry_out(step)
                self.serving_history.append(self.serving())
            else:
                pytest.fail(f"steps never rest: {todo}")
            if self.now >= end:
                return
            self.now = min(end, self.now + timedelta(seconds=next_look_s(list(self.dynos.values()), self.now)))

    def carry_out(self, step: Step) -> None:
        match step:
            case Start(type, number, crashes):
                self.start(type, number, crashes)
            case Become(dyno, state, exit_code, _):
                ended = None if state is DynoState.UP else self.now
                crashed = state is DynoState.CRASHED
                self.note(dyno, state=state, changed_at=self.now, ended_at=ended, exit_code=exit_code, crashes=dyno.crashes + crashed)
            case Retire(dyno, why):
                self.note(dyno, retiring=why)
            case Drain(dyno):
                self.note(dyno, drained_at=self.now)
            case Terminate(dyno):
                self.told.append(f"TERM {dyno.name} v{dyno.release_version}")
                self.note(dyno, stopped_at=self.now)
                if self.polite:
                    self.end(dyno.id, 143)
            case Kill(dyno, reason):
                self.told.append(f"{reason} {dyno.name}")
                self.note(dyno, killed_at=self.now)
                self.end(dyno.id, 137)
            case Forget(dyno):
                self.dynos.pop(dyno.id)
                self.seen.pop(dyno.id, None)
            case FailRelease(release, because):
                self.told.append(f"v{release.version} failed: {because}")
                self.wanted = Wanted(self.before, self.wanted.quantities)
                for other in list(self.dynos.values()):
                    if other.retiring == "release" and other.release_id == self.before.id:
                        self.note(other, retiring=None, drained_at=None)

    before: Release

    def note(self, dyno: Dyno, **changes: object) -> None:
        self.dynos[dyno.id] = replace(self.dynos[dyno.id], **changes)  # type: ignore[arg-type]

    def start(self, type: str, number: int, crashes: int) -> None:
        release = self.wanted.release
        assert release is not None
        dyno = Dyno(
            id=uuid4(),
            app_id=APP,
            kind=DynoKind.FORMATION,
            type=type,
            number=number,
            release_id=release.id,
            release_version=release.version,
            command="",
            size="Standard-1X",
            state=DynoState.STARTING,
            port=5000,
            created_at=self.now,
            changed_at=self.now,
            crashes=crashes,
        )
        self.dynos[dyno.id] = dyno
        does = self.boots.get(release.version, "listens")
        self.seen[dyno.id] = ObservedDyno(dyno.id, APP, dyno.name, dyno.kind, True, "10.0.0.1:5000", does == "listens")
        if does == "crashes":
            self.end(dyno.id, 1)

    def end(self, id: UUID, status: int) -> None:
        self.seen[id] = replace(self.seen[id], is_running=False, exit_status=status)

    def serving(self) -> set[int]:
        """Versions whose web dynos take requests."""
        return {
            dyno.release_version
            for dyno in self.dynos.values()
            if dyno.type == "web" and dyno.state is DynoState.UP and dyno.drained_at is None and dyno.stopped_at is None
        }

    def up(self) -> list[str]:
        return sorted(f"{dyno.name} v{dyno.release_version}" for dyno in self.dynos.values() if dyno.state is DynoState.UP)


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_runs_without_a_release(world: World) -> None:
    world.settle(100)
    assert world.dynos == {}


def test_a_first_release_starts_what_the_formation_wants(world: World) -> None:
    world.want(make_release(3), web=2, worker=1)
    world.settle()
    assert world.up() == ["web.1 v3", "web.2 v3", "worker.1 v3"]


def test_a_deploy_never_leaves_a_moment_without_a_serving_dyno(world: World) -> None:
    world.want(make_release(3), web=2, worker=1)
    world.settle()
    world.serving_history.clear()
    world.want(make_release(4), web=2, worker=1)
    world.settle()
    assert world.up() == ["web.1 v4", "web.2 v4", "worker.1 v4"]
    assert all(world.serving_history), "some step left nothing serving"


def test_a_drained_dyno_is_ended_once_its_requests_are_done_or_its_time_is_up(world: World) -> None:
    world.want(make_release(3), web=1)
    world.settle()
    old = next(iter(world.dynos))
    world.active[old] = 1
    world.want(make_release(4), web=1)
    world.settle(limits.DRAIN_TIMEOUT_S - 1)
    assert "TERM web.1 v3" not in world.told
    world.settle(2)
    assert "TERM web.1 v3" in world.told


def test_a_deploy_that_crashes_at_boot_fails_and_the_old_release_stays(world: World) -> None:
    world.before = make_release(3)
    world.want(world.before, web=1, worker=1)
    world.settle()
    world.boots[4] = "crashes"
    world.want(make_release(4), web=1, worker=1)
    world.settle(300)
    assert world.told == ["v4 failed: web.1 exited with status 1 during boot"]
    assert world.up() == ["web.1 v3", "worker.1 v3"]


def test_a_deploy_that_never_binds_its_port_is_killed_after_a_minute_and_fails(world: World) -> None:
    world.before = make_release(3)
    world.want(world.before, web=1)
    world.settle()
    world.boots[4] = "hangs"
    world.want(make_release(4), web=1)
    world.settle(limits.BOOT_TIMEOUT_S - 1)
    assert world.told == []
    world.settle(2)
    assert world.told == ["R10 web.1", "v4 failed: web.1 did not bind to $PORT in time"]
    assert world.up() == ["web.1 v3"]


def test_a_config_change_that_crashes_keeps_the_old_dynos_and_goes_on_trying(world: World) -> None:
    world.want(make_release(3), web=1)
    world.settle()
    world.boots[4] = "crashes"
    world.want(make_release(4, brings_code=False), web=1)
    world.settle(3600)
    assert world.up() == ["web.1 v3"]
    assert world.told == []


def test_without_preboot_dynos_go_while_others_start_and_a_deploy_that_crashes_stands(world: World) -> None:
    world.has_preboot = False
    world.want(make_release(3), web=1, worker=1)
    world.settle()
    world.boots[4] = "crashes"
    world.want(make_release(4), web=1, worker=1)
    world.settle(5)
    assert sorted(world.told) == ["TERM web.1 v3", "TERM worker.1 v3"]
    assert {(dyno.name, dyno.release_version, dyno.state) for dyno in world.dynos.values()} == {
        ("web.1", 4, DynoState.CRASHED),
        ("worker.1", 4, DynoState.CRASHED),
    }
    world.want(make_release(5), web=1, worker=1)
    world.settle()
    assert world.up() == ["web.1 v5", "worker.1 v5"]


def test_without_preboot_a_web_dyno_finishes_its_requests_before_it_goes(world: World) -> None:
    world.has_preboot = False
    world.want(make_release(3), web=1)
    world.settle()
    old = next(iter(world.dynos))
    world.active[old] = 1
    world.want(make_release(4), web=1)
    world.settle(1)
    assert world.told == []
    assert world.serving() == {4}
    world.active[old] = 0
    world.settle(1)
    assert world.told == ["TERM web.1 v3"]


def test_workers_are_not_replaced_before_the_new_web_dynos_are_up(world: World) -> None:
    world.want(make_release(3), web=1, worker=1)
    world.settle()
    world.boots[4] = "hangs"
    world.want(make_release(4, brings_code=False), web=1, worker=1)
    world.settle(30)
    assert world.up() == ["web.1 v3", "worker.1 v3"]


def test_a_dyno_started_again_remembers_how_the_one_before_it_ended(world: World) -> None:
    world.want(make_release(3), web=1)
    world.settle()
    [dyno] = world.dynos.values()
    ended = replace(dyno, state=DynoState.CRASHED, crashes=1, exit_code=3, ended_at=world.now)
    [_, start] = steps(world.wanted, [ended], {}, world.now, {})
    assert start == Start("web", 1, crashes=1, exit_code=3)


def test_a_crash_loop_backs_off_and_a_new_release_ends_it(world: World) -> None:
    world.boots[3] = "crashes"
    world.want(make_release(3), web=1)
    world.settle(1000)
    dyno = next(iter(world.dynos.values()))
    assert dyno.state is DynoState.CRASHED
    assert 6 <= dyno.crashes <= 9
    world.want(make_release(4), web=1)
    world.settle()
    assert world.up() == ["web.1 v4"]


@pytest.mark.parametrize(
    ("crashes", "wait_s"), [(0, 0), (1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (50, 300), (10_000, 300)]
)
def test_back_off_doubles_to_five_minutes(crashes: int, wait_s: float) -> None:
    assert backoff_s(crashes) == wait_s


def test_scaling_down_ends_the_highest_numbers(world: World) -> None:
    release = make_release(3)
    world.want(release, web=3)
    world.settle()
    world.want(release, web=1)
    world.settle()
    assert world.up() == ["web.1 v3"]
    world.want(release)
    world.settle()
    assert world.up() == []


def test_a_dyno_that_ignores_sigterm_is_killed_after_thirty_seconds(world: World) -> None:
    release = make_release(3)
    world.want(release, worker=1)
    world.settle()
    world.polite = False
    world.want(release)
    world.settle(limits.EXIT_GRACE_S - 1)
    assert world.told == ["TERM worker.1 v3"]
    world.settle(2)
    assert world.told == ["TERM worker.1 v3", "R12 worker.1"]
    assert world.dynos == {}


def test_a_restart_replaces_a_dyno_before_it_goes(world: World) -> None:
    world.want(make_release(3), web=1)
    world.settle()
    old = next(iter(world.dynos.values()))
    world.serving_history.clear()
    world.note(old, retiring="restart")
    world.settle()
    assert old.id not in world.dynos
    assert world.up() == ["web.1 v3"]
    assert all(world.serving_history)


def test_a_stopped_dyno_of_the_formation_comes_back(world: World) -> None:
    world.want(make_release(3), worker=1)
    world.settle()
    old = next(iter(world.dynos.values()))
    world.note(old, retiring="stop")
    world.settle()
    assert old.id not in world.dynos
    assert world.up() == ["worker.1 v3"]


def test_dynos_are_cycled_once_a_day_and_not_all_at_once(world: World) -> None:
    world.want(make_release(3), web=3)
    world.settle()
    first = set(world.dynos)
    lives = sorted(lives_for_s(dyno) for dyno in world.dynos.values())
    assert limits.CYCLE_S <= lives[0] < lives[1] < lives[2] <= limits.CYCLE_S + limits.CYCLE_JITTER_S
    world.settle(limits.CYCLE_S - 60)
    assert set(world.dynos) == first
    world.settle(limits.CYCLE_JITTER_S + 180)
    assert not first & set(world.dynos)
    assert world.up() == ["web.1 v3", "web.2 v3", "web.3 v3"]


def test_dynos_that_a_reboot_took_are_started_again_without_back_off(world: World) -> None:
    world.want(make_release(3), web=2)
    world.settle()
    world.seen.clear()
    world.settle()
    assert world.up() == ["web.1 v3", "web.2 v3"]
    assert all(dyno.crashes == 0 for dyno in world.dynos.values())


def test_any_exit_of_a_formation_dyno_is_a_crash_even_a_clean_one(world: World) -> None:
    world.want(make_release(3), worker=1)
    world.settle()
    dyno = next(iter(world.dynos.values()))
    world.end(dyno.id, 0)
    todo = steps(world.wanted, list(world.dynos.values()), world.seen, world.now, {})
    assert [step.state for step in todo if isinstance(step, Become)] == [DynoState.CRASHED]


def test_a_newer_release_takes_over_from_one_that_is_still_booting(world: World) -> None:
    world.want(make_release(3), web=1)
    world.settle()
    world.boots[4] = "hangs"
    world.want(make_release(4), web=1)
    world.settle(5)
    world.want(make_release(5), web=1)
    world.settle()
    assert world.up() == ["web.1 v5"]


def test_release_and_console_types_are_never_part_of_the_formation() -> None:
    release = replace(make_release(3), process_types={"web": "a", "release": "b", "console": "c"})
    entries = [ProcessType(uuid4(), APP, type, 1, "Standard-1X", BEGIN, BEGIN) for type in ("web", "release", "console", "gone")]
    assert quantities(release, entries) == {"web": 1}
