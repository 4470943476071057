"""Runs the command line from a checkout: `python -I src/senryu/cli/__main__.py`."""

from __future__ import annotations

import sys

if not __package__:
    # -I keeps the checkout off the path, and a PYTHONPATH would leak into the programs that `local` starts.
    sys.path.insert(0, __file__.rsplit("/", 3)[0])

from senryu.cli import main

sys.exit(main())
