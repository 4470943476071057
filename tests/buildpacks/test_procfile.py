"""The Procfile buildpack: no language, just commands."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from .conftest import ROOT, BuildpackRunner

EXAMPLE = ROOT / "examples" / "worker-procfile"


def test_an_app_with_a_procfile_is_built_without_building_anything(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("procfile", EXAMPLE)
    before = sorted(run.app.rglob("*"))

    assert run.detect().stdout == "Procfile\n"
    compiled = run.compile()
    assert compiled.returncode == 0
    assert "       worker: bash worker.sh" in compiled.stdout
    assert run.release().stdout == "{}\n"
    assert sorted(run.app.rglob("*")) == before


def test_an_app_without_a_procfile_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    detected = buildpack_run("procfile", {"main.c": "int main;"}).detect()
    assert detected.returncode == 1
    assert "No Procfile" in detected.stdout


def test_the_example_web_process_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("procfile", EXAMPLE)
    run.compile()
    with run.started('python3 -m http.server "$PORT" --directory public') as app:
        assert b"no language" in app.get("/page.html").body


def test_the_example_worker_works_and_ends_politely(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        ["/bin/bash", str(EXAMPLE / "worker.sh")],
        env={"PATH": "/usr/bin:/bin", "INTERVAL_S": "60"},
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "job 1 done\n"
        worker.send_signal(signal.SIGTERM)
        rest, _ = worker.communicate(timeout=15)
    finally:
        worker.kill()
        worker.wait(timeout=15)
    assert (worker.returncode, rest) == (0, "SIGTERM: bye\n")
