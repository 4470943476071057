"""Certificates of single hosts, in the running HAProxy.

It is told before `certificate_files` are written: a file that HAProxy refuses would keep it from starting at all.
Source: https://docs.haproxy.org/2.6/management.html#9.3 (new, set, commit, del ssl cert; add, del, show ssl crt-list)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from senryu.core.errors import Invalid, Unavailable
from senryu.routers.bundle import Bundle
from senryu.routers.haproxy.certificate_files import host_of, path_of
from senryu.routers.haproxy.runtime import ask
from senryu.routers.haproxy.settings import RouterSettings

_ABANDONED = re.compile(r"ongoing transaction is about '([^']+)'")
_SHA1 = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]{40})$", re.MULTILINE)


async def load(settings: RouterSettings, host: str, wanted: Bundle) -> None:
    """Has HAProxy serve it now. Raises Invalid when HAProxy refuses it, Unavailable."""
    path = path_of(settings, host)
    known, served = await ask(settings.socket, ["show ssl cert", f"show ssl crt-list -n {settings.certificate_list}"])
    if str(path) not in known.splitlines():
        await _tell(settings, path, [f"new ssl cert {path}"], "New empty certificate store")
    try:
        await exchange(settings, path, wanted.text)
        if host not in _listed(served):
            await _tell(settings, path, [f"add ssl crt-list {settings.certificate_list} <<\n{path} {host}"], "Success!")
    except Invalid:
        if host not in _listed(served):
            await ask(settings.socket, [f"del ssl cert {path}"])
        raise


async def exchange(settings: RouterSettings, path: Path, pem: str) -> None:
    """Replaces a certificate that HAProxy knows by its path. Raises Invalid, Unavailable."""
    change = [f"set ssl cert {path} <<\n{pem.rstrip()}", f"commit ssl cert {path}"]
    answers = await ask(settings.socket, change)
    abandoned = _ABANDONED.search(answers[-1])
    if abandoned:  # by a senryud that was killed between the two
        answers = await ask(settings.socket, [f"abort ssl cert {abandoned[1]}", *change])
    if "Success!" not in answers[-1]:
        await ask(settings.socket, [f"abort ssl cert {path}"])
        raise _refused(path)


async def unload(settings: RouterSettings, host: str) -> None:
    """Has HAProxy forget it. Raises Unavailable."""
    path = path_of(settings, host)
    await ask(settings.socket, [f"del ssl crt-list {settings.certificate_list} {path}", f"del ssl cert {path}"])
    known, served = await ask(settings.socket, ["show ssl cert", f"show ssl crt-list -n {settings.certificate_list}"])
    if str(path) in known.splitlines() or host in _listed(served):
        raise Unavailable(f"The router still serves the certificate of {host}; it will be tried again.")


async def served(settings: RouterSettings, kept: Mapping[str, Bundle]) -> dict[str, str]:
    """Host → fingerprint of what HAProxy serves; "" where the file does not say the same. Raises Unavailable."""
    [answer] = await ask(settings.socket, [f"show ssl crt-list -n {settings.certificate_list}"])
    hosts = _listed(answer)
    details = await ask(settings.socket, [f"show ssl cert {path_of(settings, host)}" for host in hosts])
    found = {}
    for host, detail in zip(hosts, details, strict=True):
        sha1 = _SHA1.search(detail)
        is_kept = sha1 is not None and host in kept and kept[host].sha1 == sha1[1].lower()
        found[host] = kept[host].fingerprint if is_kept else ""
    return found


def _listed(answer: str) -> list[str]:
    """Hosts out of `show ssl crt-list -n`: a `# file` line, then `path:number host` lines."""
    return [line.split()[-1] for line in answer.splitlines() if line and not line.startswith("#") and " " in line]


async def _tell(settings: RouterSettings, path: Path, commands: Sequence[str], done: str) -> None:
    answers = await ask(settings.socket, commands)
    if done not in answers[-1]:
        raise _refused(path)


def _refused(path: Path) -> Invalid:
    return Invalid(f"The router refused the certificate of {host_of(path)}; use RSA of 2,048 bits or more, or EC, and SHA-2.")
