"""A command of ours while parts of the platform die."""

from __future__ import annotations

import random
import subprocess
import time

from system.person import PROGRAM, App


def killed_during(app: App, victims: tuple[str, ...], *words: str, within_s: float = 1.2) -> bool:
    """Runs a command and kills at a random moment of its first seconds; whether the command was told that it is done."""
    asking = subprocess.Popen(
        [str(PROGRAM), words[0], "-a", app.name, *words[1:]],
        env=app.owner.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(0.1 + random.random() * (within_s - 0.1))
    for victim in victims:
        app.copy.kill(victim)
    asking.communicate(timeout=120)
    app.copy.await_health()
    return asking.returncode == 0
