"""From `git push` of a one-line change to the new version answering. `python bench/push_to_live.py [pushes]`.

Beside it, in each round: `docker build` and `docker run` of the same change until it answers (without git, router, release or zero-downtime
switch), and the program as a plain process until it answers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from docker_beside import IMAGE, Docker, docker_daemon
from stand import App, median_ms, new_app, person_on, print_table, running_platform

STEPS = ("source_s", "build_start_s", "compile_s", "pack_s", "store_s", "release_s", "start_s", "bind_s", "route_s", "total_s")


def push_to_answer(app: App, mark: str) -> tuple[float, float]:
    """Milliseconds from the start of the push to the first answer of the new version, and to the push's own end."""
    program = (app.folder / "app.py").read_text()
    app.commit({"app.py": program.replace("Hello from", f"{mark} from") if mark == "Mark0" else _marked(program, mark)})
    began = time.perf_counter()
    push = app.pushing()
    answered = ended = 0.0
    while not answered or not ended:
        now = time.perf_counter()
        if not answered and mark in app.visit().text:
            answered = time.perf_counter() - began
        if not ended and push.poll() is not None:
            ended = now - began
        time.sleep(0.005)
    assert push.returncode == 0, push.communicate()[0]
    return answered * 1000, ended * 1000


def _marked(program: str, mark: str) -> str:
    lines = [f'GREETING = "{mark} from Senryu"' if line.startswith("GREETING") else line for line in program.splitlines()]
    return "\n".join(lines) + "\n"


def answers_at(address: str, port: int, mark: str) -> None:
    """Returns when a program there says `mark`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address, port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/")
            if mark in connection.getresponse().read().decode():
                return
        connection.close()
        time.sleep(0.005)
    raise AssertionError(f"nothing answers at {address}:{port}")


def docker_ms(docker: Docker, program: str, mark: str) -> float:
    """Milliseconds from `docker build` of a program to its first answer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(program)
        (Path(folder) / "Dockerfile").write_text(f'FROM {IMAGE}\nCOPY app.py /app.py\nCMD ["python", "/app.py"]\n')
        began = time.perf_counter()
        image = docker("build", "-q", folder)
        container = docker("run", "-d", "--init", "-e", "PORT=5000", image)
        answers_at(docker.address(container), 5000, mark)
        taken = (time.perf_counter() - began) * 1000
    docker("rm", "-f", container)
    return taken


def process_ms(folder: Path, mark: str, port: int) -> float:
    """Milliseconds from starting the program as a process to its first answer."""
    began = time.perf_counter()
    process = subprocess.Popen(["python3", "app.py"], cwd=folder, env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL)
    try:
        answers_at("127.0.0.1", port, mark)
        return (time.perf_counter() - began) * 1000
    finally:
        process.kill()
        process.wait(10)


def main(pushes: int) -> None:
    answers, ends = [], []
    by_docker, by_process = [], []
    timings: list[dict[str, float]] = []
    with running_platform() as copy, docker_daemon() as docker, person_on(copy) as person, new_app(person) as app:
        app.push()
        for number in range(pushes):
            mark = f"Mark{number}"
            answered, ended = push_to_answer(app, mark)
            if isinstance(docker, Docker):
                by_docker.append(docker_ms(docker, (app.folder / "app.py").read_text(), mark))
            by_process.append(process_ms(app.folder, mark, copy.port + 3000 + number))
            answers.append(answered)
            ends.append(ended)
            timings.append(json.loads(app.senryu("releases:info", "--json").stdout)["timing"])
    rows = [("push begins → new version answers", median_ms(answers)), ("push begins → push ends", median_ms(ends))]
    inside = statistics.median(timing["total_s"] for timing in timings) * 1000
    rows += [(f"· {step.removesuffix('_s')}", median_ms([timing[step] * 1000 for timing in timings])) for step in STEPS]
    rows.append(("· git, HTTP, hook (the rest)", f"{statistics.median(ends) - inside:.1f}"))
    rows.append(("docker build + docker run → answers", median_ms(by_docker) if by_docker else str(docker)))
    rows.append(("plain process → answers", median_ms(by_process)))
    print_table(f"git push of a one-line change, {pushes} times (target 1,200 ms)", ("what", "ms: median (least-most)"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
