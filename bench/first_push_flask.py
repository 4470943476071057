"""The first push of examples/flask-gunicorn with a warm package cache. `python bench/first_push_flask.py [apps]`.

Packages come from PyPI once, for the first app; what the platform keeps of them (see "cold") is all later ones have.
"""

from __future__ import annotations

import json
import sys
import time

from stand import Person, median_ms, new_app, person_on, print_table, running_platform

STEPS = ("build_start_s", "compile_s", "pack_s", "store_s", "start_s", "bind_s", "route_s")


def first_push(person: Person, *, is_second: bool) -> tuple[float, dict[str, float]]:
    """Milliseconds from push to answer, and the release's timing. `is_second`: the app's own build cache is warm too."""
    with new_app(person, "flask-gunicorn") as app:
        if is_second:
            app.push()
            app.commit({"extra.txt": "a change\n"})
        began = time.perf_counter()
        app.push()
        while app.visit().status != 200:
            time.sleep(0.01)
        taken = (time.perf_counter() - began) * 1000
        return taken, json.loads(app.senryu("releases:info", "--json").stdout)["timing"]


def main(apps: int) -> None:
    with running_platform() as copy, person_on(copy) as person:
        cold, cold_timing = first_push(person, is_second=False)
        later = [first_push(person, is_second=False) for _ in range(apps)]
        again = [first_push(person, is_second=True) for _ in range(apps)]
    rows = [("first app of the platform (cold)", f"{cold:.0f}", *(f"{cold_timing[step] * 1000:.0f}" for step in STEPS))]
    for name, found in (("later apps' first push", later), ("an app's second push", again)):
        steps = [median_ms([timing[step] * 1000 for _, timing in found]) for step in STEPS]
        rows.append((name, median_ms([taken for taken, _ in found]), *steps))
    head = ("what", "push → answer, ms", *(step.removesuffix("_s") for step in STEPS))
    print_table(f"Flask + gunicorn, {apps} apps (target 3,000 ms with a warm cache)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
