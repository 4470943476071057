"""version."""

from __future__ import annotations

import platform

from senryu import __version__
from senryu.cli.arguments import Command, Typed
from senryu.cli.output import say


def _version(typed: Typed) -> None:
    say(f"senryu/{__version__} {platform.system().lower()}-{platform.machine()} python-{platform.python_version()}")


TOPIC = {"version": Command(_version)}
