"""`python -m senryu.routers.haproxy --home /var/lib/senryu …`: writes what HAProxy starts from, as the platform's user."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from senryu.core.errors import PlatformError
from senryu.routers.haproxy.files import write_start_files
from senryu.routers.haproxy.settings import LOOPBACK, RouterSettings


def main() -> int:
    """Gives 0, or 1 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m senryu.routers.haproxy", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--domain", default="localhost")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--tls-port", type=int, default=8443)
    parser.add_argument("--listen", action="append", help="an IP address, may be given more than once")
    given = parser.parse_args()
    os.umask(0o007)
    listen = tuple(given.listen or LOOPBACK)
    try:
        write_start_files(
            RouterSettings(home=given.home.resolve(), domain=given.domain, port=given.port, tls_port=given.tls_port, listen=listen)
        )
    except (PlatformError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


sys.exit(main())
