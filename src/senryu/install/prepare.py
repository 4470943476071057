"""What must be there before the processes start. Runs as the user `senryu`, each time; repeating it changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys

from ..config import Settings
from ..routers.haproxy import RouterSettings, write_start_files
from ..routers.haproxy.settings import LOOPBACK

_MIGRATE_TIMEOUT_S = 600.0


def router_settings(settings: Settings) -> RouterSettings:
    """The router's part of the settings."""
    return RouterSettings(
        home=settings.home,
        domain=settings.domain,
        port=settings.port,
        tls_port=settings.tls_port,
        slots=settings.slots,
        objects_host=settings.objects_host,
        listen=(settings.listen,) if settings.listen else LOOPBACK,
        lan_address=settings.lan_address,
    )


def prepare(settings: Settings) -> int:
    """Makes the database at its newest schema, keys, certificates and the router's files. Gives the exit status."""
    os.umask(0o007)
    # The URL may hold a password: it goes by the environment, which only this user can read.
    environment = {**os.environ, "SENRYU_MIGRATE_URL": settings.database_url}
    done = subprocess.run(
        [sys.executable, "-m", "senryu.store.migrate"], env=environment, timeout=_MIGRATE_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        return done.returncode
    write_start_files(router_settings(settings))
    return 0
