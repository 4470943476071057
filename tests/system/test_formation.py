"""Scaling, workers, restarts. Source: Dev Center, scaling, dynos."""

from __future__ import annotations

import threading

from .conftest import NewApp
from .person import App
from .rig import Answer, eventually

WORKER = "import time\nwhile True:\n    print('working', flush=True)\n    time.sleep(0.2)\n"


class Visitors:
    """Two visitors that ask again and again; what they got is kept. Use as `with`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]
        self.answers: list[Answer] = []

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(100)

    def _ask(self) -> None:
        while not self._is_over.wait(0.02):  # slow enough for the 1,500 lines of log to hold the whole test
            self.answers.append(self._app.visit())

    def failed(self) -> list[Answer]:
        """Answers that are none."""
        return [answer for answer in self.answers if answer.status != 200]


def test_scaling_up_and_down_changes_what_runs(app: App) -> None:
    app.senryu("ps:scale", "web=3")
    eventually(lambda: app.states() == {"web.1": "up", "web.2": "up", "web.3": "up"}, "three dynos")

    def are_all_visited() -> bool:
        assert {app.visit().status for _ in range(20)} == {200}
        told = app.log("--source", "heroku", "--dyno", "router")
        return all(f" dyno=web.{number} " in told for number in (1, 2, 3))

    eventually(are_all_visited, "requests to each of the three")
    app.senryu("ps:scale", "web-2")
    eventually(lambda: app.states() == {"web.1": "up"}, "one dyno")
    assert app.visit().status == 200
    assert "Scaled to web@3" in app.log()


def test_without_web_dynos_visitors_get_h14_and_the_log_says_so(app: App) -> None:
    app.senryu("ps:scale", "web=0")
    eventually(lambda: not app.states(), "no dynos")
    answer = app.visit()
    assert answer.status == 503
    assert "Application error" in answer.text
    assert "senryud" not in answer.text and "haproxy" not in answer.text.lower()
    app.logged('at=error code=H14 desc="No web processes running" method=GET path="/"')
    app.senryu("ps:scale", "web=1")
    eventually(lambda: app.visit().status == 200, "the app again")


def test_a_worker_runs_beside_web_and_only_when_asked_for(app: App) -> None:
    app.deploy({"Procfile": "web: python app.py\nworker: python worker.py\n", "worker.py": WORKER})
    assert app.states() == {"web.1": "up"}
    app.senryu("ps:scale", "worker=2")
    eventually(lambda: app.states() == {"web.1": "up", "worker.1": "up", "worker.2": "up"}, "two workers")
    app.logged("app[worker.2]: working")
    refused = app.senryu("ps:scale", "clock=1", check=False)
    assert refused.returncode != 0
    assert "clock" in refused.stderr


def test_restarting_under_load_loses_no_request(app: App) -> None:
    before = app.dynos()["web.1"]["id"]
    with Visitors(app) as visitors:
        app.senryu("ps:restart")
        eventually(lambda: (dyno := app.dynos()["web.1"])["id"] != before and dyno["state"] == "up", "another web.1")
        app.logged("bye")
        count = len(visitors.answers)
        eventually(lambda: len(visitors.answers) > count + 20, "more answers")
    assert not visitors.failed()


def test_deploying_under_load_loses_no_request(app: App) -> None:
    with Visitors(app) as visitors:
        app.deploy()
        app.logged("bye")
        count = len(visitors.answers)
        eventually(lambda: len(visitors.answers) > count + 20, "more answers")
    assert not visitors.failed()
    versions = [answer.text.split()[-1] for answer in visitors.answers]
    assert versions[0] == "v2" and versions[-1] == "v3"


def test_a_stopped_dyno_ends_and_comes_back(app: App) -> None:
    before = app.dynos()["web.1"]["id"]
    app.senryu("ps:stop", "web.1")
    eventually(lambda: (dyno := app.dynos().get("web.1")) and dyno["id"] != before and dyno["state"] == "up", "another web.1")
    app.logged("Stopping all processes with SIGTERM")
    assert app.visit().status == 200
    refused = app.senryu("ps:stop", "web.9", check=False)
    assert refused.returncode != 0
    assert "web.9" in refused.stderr


def test_a_dyno_that_crashes_later_is_started_again(make_app: NewApp) -> None:
    app = make_app()
    app.commit(
        {
            "app.py": (app.folder / "app.py").read_text() + "",
            "Procfile": "web: python app.py & sleep 2; [ -e /app/.up ] ; kill $!; exit 5\n",
        }
    )
    app.push(check=False)
    log = app.logged("Process exited with status 5")
    assert "State changed from up to crashed" in log
    eventually(lambda: app.log().count("Starting process with command") >= 2, "another start")
