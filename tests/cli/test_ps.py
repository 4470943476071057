from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from senryu.cli.output import ago
from senryu.cli.ps_scale import change

from .conftest import Senryu
from .fake_api import FakeApi, dyno, release

FORMATION = [
    {"type": "worker", "quantity": 0, "size": "Standard-1X", "command": "python work.py"},
    {"type": "web", "quantity": 1, "size": "Standard-1X", "command": "python app.py"},
]


@pytest.mark.parametrize(
    ("age", "text"), [(5, " (~ 5s ago)"), (90, " (~ 1m ago)"), (7300, " (~ 2h ago)"), (90000, ""), (-5, " (~ 0s ago)")]
)
def test_times_are_shown_with_their_age(age: int, text: str) -> None:
    moment = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)
    shown = ago("2026-11-22T18:00:00Z", (moment + timedelta(seconds=age)).timestamp())
    assert shown == moment.astimezone().strftime("%Y/%m/%d %H:%M:%S %z") + text


def test_ps_groups_dynos_by_command_and_orders_them_by_number(api: FakeApi, senryu: Senryu) -> None:
    one_off = dyno("run.12", command="bash", state="starting")
    api.on("GET /apps/myapp/dynos", [dyno("web.10"), dyno("web.2", state="crashed"), one_off])
    out = senryu("ps", "-a", "myapp").out
    date = ago("2020-01-02T03:04:05Z")
    assert out == (
        f"=== run: one-off processes (1)\n\nrun.12 (Standard-1X): starting {date}: bash\n\n"
        f"=== web (Standard-1X): python app.py (2)\n\nweb.2: crashed {date}\nweb.10: up {date}\n\n"
    )


def test_ps_of_one_type_and_of_none(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/dynos", [dyno("web.1"), dyno("worker.1")])
    assert "worker" not in senryu("ps", "web", "-a", "myapp").out
    result = senryu("ps", "clock", "-a", "myapp")
    assert (result.status, result.err) == (2, "error: No clock dynos on myapp\nhint: It has: web, worker\n")
    api.on("GET /apps/myapp/dynos", [])
    assert senryu("ps", "-a", "myapp").err == "No dynos on ⬢ myapp\n"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("web=2", {"type": "web", "quantity": "2"}),
        ("web+1", {"type": "web", "quantity": "+1"}),
        ("web-1", {"type": "web", "quantity": "-1"}),
        ("my-worker=3:standard-2x", {"type": "my-worker", "quantity": "3", "size": "standard-2x"}),
        ("my-worker-2", {"type": "my-worker", "quantity": "-2"}),
    ],
)
def test_a_change_of_scale_is_sent_as_it_was_typed(word: str, expected: dict[str, str]) -> None:
    assert change(word) == expected


@pytest.mark.parametrize("word", ["web", "web=", "web=two", "=2", "web=2:", "web==2", "web=-1", "web=²"])
def test_a_change_that_is_none_is_refused(word: str, api: FakeApi, senryu: Senryu) -> None:
    result = senryu("ps:scale", "-a", "myapp", word)
    assert (result.status, api.requests) == (1, [])
    assert f"`{word}` is no scale" in result.err


def test_scale_sends_the_changes_and_says_what_runs_now(api: FakeApi, senryu: Senryu) -> None:
    api.on("PATCH /apps/myapp/formation", [dict(entry, quantity=2) for entry in FORMATION])
    result = senryu("scale", "web=2", "worker+2", "-a", "myapp")
    assert result.err == "Scaling dynos... done, now running worker at 2:Standard-1X, web at 2:Standard-1X\n"
    assert api.asked("PATCH /apps/myapp/formation")[0].json == {
        "updates": [{"type": "web", "quantity": "2"}, {"type": "worker", "quantity": "+2"}]
    }


def test_scale_without_arguments_shows_the_formation(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/formation", FORMATION)
    assert senryu("ps:scale", "-a", "myapp").out == "web=1:Standard-1X worker=0:Standard-1X\n"


def test_scale_of_an_app_without_code_says_so(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/formation", [])
    assert senryu("ps:scale", "-a", "myapp").err.startswith("error: No process types on myapp")


@pytest.mark.parametrize(
    ("words", "updates"),
    [
        (["standard-2x"], [{"type": "web", "size": "standard-2x"}, {"type": "worker", "size": "standard-2x"}]),
        (["web=standard-2x"], [{"type": "web", "size": "standard-2x"}]),
    ],
)
def test_type_changes_sizes(words: list[str], updates: list[dict[str, str]], api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/formation", FORMATION)
    api.on("PATCH /apps/myapp/formation", FORMATION)
    result = senryu("ps:type", *words, "-a", "myapp")
    assert api.asked("PATCH /apps/myapp/formation")[0].json == {"updates": updates}
    assert " Type    Size         Qty" in result.out
    assert "is no dyno size" in senryu("ps:type", "web=2", "-a", "myapp").err


@pytest.mark.parametrize(
    ("words", "path", "text"),
    [
        ([], "/apps/myapp/dynos", "all dynos"),
        (["web.1"], "/apps/myapp/dynos/web.1", "dyno web.1"),
        (["-d", "web.1"], "/apps/myapp/dynos/web.1", "dyno web.1"),
        (["web"], "/apps/myapp/formations/web", "all web dynos"),
        (["-p", "web"], "/apps/myapp/formations/web", "all web dynos"),
    ],
)
def test_restart(words: list[str], path: str, text: str, api: FakeApi, senryu: Senryu) -> None:
    api.on(f"DELETE {path}", {}, 202)
    assert senryu("restart", *words, "-a", "myapp").err == f"Restarting {text} on ⬢ myapp... done\n"


@pytest.mark.parametrize(
    ("words", "path"),
    [(["web.1"], "/apps/myapp/dynos/web.1/actions/stop"), (["-p", "web"], "/apps/myapp/formations/web/actions/stop")],
)
def test_stop(words: list[str], path: str, api: FakeApi, senryu: Senryu) -> None:
    api.on(f"POST {path}", {}, 202)
    assert senryu("ps:stop", *words, "-a", "myapp").status == 0
    assert len(api.asked(f"POST {path}")) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [(["ps:stop"], "Which dyno is to be stopped?"), (["ps:stop", "web.x"], "`web.x` is no dyno"), (["ps:restart", "../x.1"], "is no dyno")],
)
def test_a_dyno_that_is_none_is_refused(words: list[str], message: str, api: FakeApi, senryu: Senryu) -> None:
    result = senryu(*words, "-a", "myapp")
    assert (result.status, api.requests) == (1, [])
    assert message in result.err


def test_wait_ends_when_every_dyno_runs_the_newest_release(api: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("senryu.cli.ps.time.sleep", waits.append)
    api.on("GET /apps/myapp/releases", [release(8)])
    old, new = dyno("web.1"), dyno("web.1", release={"version": 8})
    api.on("GET /apps/myapp/dynos", [old, dyno("run.1")])
    api.then("GET /apps/myapp/dynos", [new, dyno("run.1")])
    assert senryu("ps:wait", "-w", "3", "-a", "myapp").err == "Waiting for every dyno to be running v8... done, 1 / 1\n"
    assert waits == [3]
