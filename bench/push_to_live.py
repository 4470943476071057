"""From `git push` of a one-line change to the new version answering. `python bench/push_to_live.py [pushes]`."""

from __future__ import annotations

import json
import statistics
import sys
import time

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


def main(pushes: int) -> None:
    answers, ends = [], []
    timings: list[dict[str, float]] = []
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app:
        app.push()
        for number in range(pushes):
            answered, ended = push_to_answer(app, f"Mark{number}")
            answers.append(answered)
            ends.append(ended)
            timings.append(json.loads(app.senryu("releases:info", "--json").stdout)["timing"])
    rows = [("push begins → new version answers", median_ms(answers)), ("push begins → push ends", median_ms(ends))]
    inside = statistics.median(timing["total_s"] for timing in timings) * 1000
    rows += [(f"· {step.removesuffix('_s')}", median_ms([timing[step] * 1000 for timing in timings])) for step in STEPS]
    rows.append(("· git, HTTP, hook (the rest)", f"{statistics.median(ends) - inside:.1f}"))
    print_table(f"git push of a one-line change, {pushes} times (target 1,200 ms)", ("what", "ms: median (least-most)"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
