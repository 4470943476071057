from __future__ import annotations

from .conftest import Senryu
from .fake_api import FakeApi

JOBS = "/apps/myapp/scheduler/jobs"
JOB = {
    "id": "3f2a9c1d-0000-4000-8000-000000000000",
    "command": "rake tidy",
    "every": "day",
    "at": "03:30",
    "size": None,
    "next_due_at": "2026-11-23T03:30:00Z",
    "last_outcome": "run by scheduler.1234",
}


def test_jobs_are_listed_with_when_they_run(api: FakeApi, senryu: Senryu) -> None:
    api.on(f"GET {JOBS}", [])
    assert senryu("scheduler", "-a", "myapp").out == "⬢ myapp has no scheduled jobs.\n"
    often = JOB | {"id": "4" * 36, "every": "10 minutes", "at": None, "size": "Basic", "last_outcome": None}
    api.on(f"GET {JOBS}", [JOB, often])
    out = senryu("scheduler:list", "-a", "myapp").out
    assert " 3f2a9c1d  rake tidy  every day at 03:30 UTC         2026-11-23 03:30  run by scheduler.1234\n" in out
    assert " 44444444  rake tidy  every 10 minutes        Basic  2026-11-23 03:30\n" in out


def test_a_job_is_added(api: FakeApi, senryu: Senryu) -> None:
    api.on(f"POST {JOBS}", JOB, 201)
    result = senryu("scheduler:add", "rake", "tidy", "--every", "daily", "--at", "03:30", "--size", "basic", "-a", "myapp")
    assert result.out == "3f2a9c1d runs every day at 03:30 UTC, next at 2026-11-23 03:30 UTC\n"
    assert api.asked(f"POST {JOBS}")[0].json == {"command": "rake tidy", "every": "day", "at": "03:30", "size": "basic"}
    assert senryu("scheduler:add", "x", "-a", "myapp").status == 0
    assert api.asked(f"POST {JOBS}")[1].json == {"command": "x", "every": "10 minutes"}


def test_a_job_is_changed_and_removed_by_the_beginning_of_its_id(api: FakeApi, senryu: Senryu) -> None:
    api.on(f"GET {JOBS}", [JOB, JOB | {"id": "3f000000-0000-4000-8000-000000000000"}])
    api.on(f"PATCH {JOBS}/{JOB['id']}", JOB)
    api.on(f"DELETE {JOBS}/{JOB['id']}", JOB)
    assert senryu("scheduler:update", "3F2A", "--every", "1h", "--at", ":05", "--command", "b", "-a", "myapp").status == 0
    assert api.asked(f"PATCH {JOBS}/{JOB['id']}")[0].json == {"every": "hour", "at": ":05", "command": "b"}
    assert senryu("scheduler:remove", "3f2a", "-a", "myapp").status == 0
    for id, count in (("3f", 2), ("9", 0)):
        refused = senryu("scheduler:remove", id, "-a", "myapp")
        assert refused.status == 1 and f"beginning of {count} ids" in refused.err
    assert "Nothing to change" in senryu("scheduler:update", "3f2a", "-a", "myapp").err
    assert len(api.asked(f"DELETE {JOBS}/{JOB['id']}")) == 1
