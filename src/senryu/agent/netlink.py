"""The part of pyroute2 that is used: rtnetlink. Its own `__init__` imports everything it has, which is 6 MB of every agent's memory."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

if "pyroute2" not in sys.modules and (_spec := find_spec("pyroute2")):
    sys.modules["pyroute2"] = module_from_spec(_spec)  # found, but not run

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

sys.modules["pyroute2"].__dict__.setdefault("IPRoute", IPRoute)

__all__ = ["IPRoute", "NetlinkError"]
