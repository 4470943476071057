"""The files from which HAProxy starts to serve certificates of single hosts: one PEM file each and the list of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from senryu.core.route import check_certificate_host
from senryu.routers.bundle import Bundle, as_written
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.whole import write_whole

_MODE = 0o640  # HAProxy runs as another user of the platform's group, which has nobody else in it


def path_of(settings: RouterSettings, host: str) -> Path:
    """The file of a host's certificate; `+` stands for `*`, and no host has one. Raises Invalid."""
    check_certificate_host(host)
    return settings.host_certificates / f"{host.replace('*', '+')}.pem"


def host_of(path: Path) -> str:
    return path.stem.replace("+", "*")


def prepare(settings: RouterSettings) -> None:
    """Makes the folder, and the list say what files there are. Blocks. Raises OSError."""
    settings.host_certificates.mkdir(exist_ok=True)
    settings.host_certificates.chmod(0o2750)
    write_whole(settings.certificate_list, _list_text(settings, _kept(settings)))


def keep(settings: RouterSettings, host: str, wanted: Bundle) -> None:
    """Writes it for HAProxy's next start: the file, then the list, which names only files that are there. Blocks. Raises OSError."""
    write_whole(path_of(settings, host), wanted.text, _MODE)
    write_whole(settings.certificate_list, _list_text(settings, _kept(settings)))


def drop(settings: RouterSettings, host: str) -> None:
    """The list first, then the file. Blocks. Raises OSError."""
    write_whole(settings.certificate_list, _list_text(settings, (kept for kept in _kept(settings) if kept != host)))
    path_of(settings, host).unlink(missing_ok=True)


def read_kept(settings: RouterSettings) -> dict[str, Bundle]:
    """What the files hold, by host; one that cannot be read is left out. Blocks."""
    found = {}
    for host in _kept(settings):
        with suppress(OSError, ValueError):
            path = path_of(settings, host)
            # All of it as a server would, or HAProxy's next start would fail on it; a key with a passphrase is none of ours.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
            found[host] = as_written(path.read_text())
    return found


def _kept(settings: RouterSettings) -> list[str]:
    return sorted(host_of(file) for file in settings.host_certificates.glob("*.pem") if not file.name.startswith("."))


def _list_text(settings: RouterSettings, hosts: Iterable[str]) -> str:
    """HAProxy's crt-list: a certificate answers for its own host only, whatever other names are in it."""
    return "".join(f"{path_of(settings, host)} {host}\n" for host in hosts)
