"""The root process: starts, stops and enters dynos for `senryud`, and does nothing else.

It speaks to one peer over a Unix socket in typed messages (`protocol`); it knows no apps, releases or routes.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """`senryu-agent --home DIR --user NAME [--cleanup]`. Gives the exit status."""
    from .command import run  # kept out of import time: engines import the protocol, not the agent

    return run(argv)
