"""The power goes at random points of deploys, configuration and scaling. Catalogue B1; systemd units and cgroup v2 beside it.

`./test --vm`: 20 rounds (SENRYU_VM_ROUNDS, SENRYU_VM_SEED), half of them on each of two machines at once. What each round did and found is
printed; docs/evidence keeps the last.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from system.person import App, Person, new_app
from system.rig import eventually

from .acknowledged import Ledger, Owner
from .machine import Machine

ROUNDS = int(os.environ.get("SENRYU_VM_ROUNDS", "20"))
SEED = int(os.environ.get("SENRYU_VM_SEED", "22"))
_SETTLE_S = 240.0  # the catalogue's 60 s, times the emulation's slowness
_UNITS = ("senryu-prepare", "senryu-agent", "senryu-router", "senryud")


@pytest.fixture(scope="module")
def machines(root: Path) -> Iterator[list[Machine]]:
    """Two, booted once. An emulated processor keeps one of the host's busy: a third machine would only make the others slower."""
    with ExitStack() as stack:
        made = [stack.enter_context(Machine()) for _ in range(2)]
        for machine in made:
            machine.take_disk(root)
        with ThreadPoolExecutor() as threads:
            list(threads.map(Machine.start, made))
        yield made


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _await_invariants(machine: Machine, when: str) -> None:
    deadline = time.monotonic() + _SETTLE_S
    while wrong := machine.problems():
        assert time.monotonic() < deadline, f"{when}: {wrong}"


def _main_pid(machine: Machine) -> int:
    return int(machine.shell("systemctl show -p MainPID --value senryu-router"))


def _haproxys(machine: Machine) -> set[int]:
    return {int(pid) for pid in machine.shell("pgrep -x -U senryu-router haproxy").split()}


@pytest.mark.timeout(1800)
def test_the_routers_unit_is_reloaded_killed_and_restarted(machines: list[Machine]) -> None:
    """First, while the machine is as it was installed."""
    machine = machines[0]

    def is_another(before: set[int]) -> bool:
        return bool(now := _haproxys(machine)) and not now & before and machine.visit("localhost", "/senryu/health").status == 200

    first, starter = _haproxys(machine), _main_pid(machine)
    assert len(first) == 1
    machine.shell("systemctl reload senryu-router")
    eventually(lambda: is_another(first), "another HAProxy after a reload", _SETTLE_S)
    assert _main_pid(machine) == starter
    second = _haproxys(machine)
    machine.shell("systemctl kill -s KILL --kill-who=main senryu-router")
    assert machine.visit("localhost", "/senryu/health").status == 200
    eventually(lambda: is_another(second), "a HAProxy that takes over from the one that was left", _SETTLE_S)
    assert _main_pid(machine) != starter
    third = _haproxys(machine)
    machine.shell(f"kill -KILL {' '.join(map(str, third))}")
    eventually(lambda: is_another(third), "another HAProxy after its death", _SETTLE_S)
    machine.shell("systemctl stop senryu-router")
    assert not _haproxys(machine)
    machine.shell("systemctl start senryu-router")
    machine.await_health()
    look = "pid=$(pgrep -x -U senryu-router haproxy); ps -o ni= -p $pid; cut -d' ' -f3 /proc/$pid/autogroup"
    # Its session's niceness is set after it has begun to answer.
    eventually(lambda: machine.shell(look).split() == ["-10", "-10"], "HAProxy's niceness", _SETTLE_S)
    assert machine.shell("systemctl is-active senryu-router").split() == ["active"]
    _say(f"reloaded, killed and restarted: {sorted(first | second | third)} and then {sorted(_haproxys(machine))}")


@pytest.mark.timeout(4 * 3600)
def test_whatever_was_acknowledged_outlives_the_power(machines: list[Machine], tmp_path: Path) -> None:
    _say(f"{ROUNDS} rounds on {len(machines)} machines, seed {SEED}")
    shares = [range(first, ROUNDS + 1, len(machines)) for first in range(1, len(machines) + 1)]
    with ThreadPoolExecutor() as threads:
        histories = [threads.submit(_history, *mine, tmp_path) for mine in zip(machines, shares, strict=True)]
    assert sum(history.result() for history in histories) == ROUNDS


def _history(machine: Machine, numbers: range, tmp_path: Path) -> int:
    """What happens to one machine; gives how many rounds it passed."""
    units = machine.shell(f"systemctl is-active {' '.join(_UNITS)}; uname -r; stat -fc %T /sys/fs/cgroup").split()
    assert units[:4] == ["active"] * 4
    _say(f"machine {numbers[0]}: Linux {units[4]}, /sys/fs/cgroup is {units[5]}; units {' '.join(_UNITS)} active")
    assert units[5] == "cgroup2fs"
    chance = random.Random(SEED + numbers[0] - 1)
    operator = Person(machine, tmp_path / f"home-{numbers[0]}", "operator@example.com")
    operator.register()
    with new_app(operator) as app:
        app.push()
        ledger = Ledger(releases=2, commits=[app.git("rev-parse", "HEAD").stdout.strip()])
        for number in numbers:
            _round(machine, app, ledger, chance, number)
        _say(f"machine {numbers[0]}: {ledger.changes} changes acknowledged, {ledger.releases} releases, all there; a last deploy:")
        app.deploy({"note.txt": "the last"})
        assert app.visit("/?at=the-end").status == 200
        # The router's unit opens the request log itself.
        [line] = eventually(lambda: re.findall(r".* heroku\[router\]: .*the-end.*", app.log()), "the router's line", _SETTLE_S)
        _say(f"machine {numbers[0]}: deployed and answered 200; the router's line: {line}")
    return len(numbers)


def _round(machine: Machine, app: App, ledger: Ledger, chance: random.Random, number: int) -> None:
    owner = Owner(app, ledger, seed=chance.randrange(2**32))
    owner.start()
    time.sleep(chance.uniform(5, 75))
    machine.cut_power()
    owner.enough.set()
    owner.join(120)
    assert not owner.is_alive(), f"round {number}: {owner.doing} goes on without a machine"
    began = time.monotonic()
    machine.start()
    booted = time.monotonic() - began
    eventually(lambda: app.visit().status == 200, "the app's answer", _SETTLE_S)
    answered = time.monotonic() - began
    _await_invariants(machine, f"round {number}, during {owner.doing}")
    lost = ledger.settle(app)
    _say(
        f"round {number}: done {owner.done or 'nothing'}, cut during {owner.doing}; healthy after {booted:.0f} s,"
        f" the app answers after {answered:.0f} s, invariants hold; lost: {lost or 'nothing'}"
    )
    assert not lost
