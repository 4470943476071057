"""The root process: starts, stops and enters dynos for `senryud`, and does nothing else.

It speaks to one peer over a Unix socket in typed messages (`protocol`); it knows no apps, releases or routes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """`senryu-agent --home DIR --user NAME [--cleanup]`. Gives the exit status."""
    # asyncio goes without ssl when there is none, and the agent speaks over one Unix socket: 4 MB less.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    from .command import run  # kept out of import time: engines import the protocol, not the agent

    return run(argv)
