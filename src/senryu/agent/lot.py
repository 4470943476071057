"""Lots: what tells copies of the platform on one machine apart.

Each SENRYU_HOME draws a number from 0 to 255, which gives its addresses, user ids and the names of everything it makes
outside its home. Claims are files in /run, gone with a reboot as are the dynos.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from senryu.core.errors import Unavailable

CLAIMS = Path("/run/senryu-lots")
_LOTS = 256
_UIDS = 10_000
DYNOS_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Lot:
    """The number of one copy of the platform, and the names that follow from it."""

    number: int

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """A /19 of 10.64.0.0/11."""
        return ipaddress.IPv4Network(f"10.{64 + self.number // 8}.{32 * (self.number % 8)}.0/19")

    @property
    def gateway(self) -> str:
        """The host's address as dynos see it; the platform's add-ons listen here."""
        return str(self.subnet[1])

    @property
    def gateway_link(self) -> str:
        """The network device that holds the gateway address."""
        return f"sn-{self.number}"

    @property
    def table(self) -> str:
        """The nftables table."""
        return f"senryu_{self.number}"

    @property
    def cgroup(self) -> str:
        """The control group above all dynos."""
        return f"senryu-{self.number}"

    @property
    def shims_cgroup(self) -> str:
        """The control group of all conmons."""
        return f"senryu-{self.number}-shims"

    @property
    def link_prefix(self) -> str:
        """How the names of the dynos' network devices begin."""
        return f"sn{self.number}-"

    @property
    def slug_uid(self) -> int:
        """Owns unpacked slugs; no dyno runs as it."""
        return 2_000_000 + self.number * _UIDS

    def uid(self, index: int) -> int:
        """The user id of the dyno with the `index`th address; never shared by two that run."""
        return self.slug_uid + index

    def address(self, index: int) -> str:
        """The address of a dyno. Indices start at 2."""
        return str(self.subnet[index])

    def link(self, index: int) -> str:
        """The host's end of a dyno's network cable."""
        return f"{self.link_prefix}{index}"


def claim(agent_directory: Path, home: Path) -> tuple[Lot, bool]:
    """The lot of `home`, drawn now if it has none; and whether it differs from the last one.

    Raises: Unavailable when all are taken.
    """
    record = agent_directory / "lot"
    is_old, before = record.exists(), _number(record)
    with _claims():
        for number in _preference(before, home):
            owner = CLAIMS / str(number)
            if not owner.exists() or _is_stale(owner, number) or owner.read_text() == str(home):
                owner.write_text(str(home))
                record.write_text(str(number))
                return Lot(number), is_old and before != number
    raise Unavailable("All 256 platform numbers of this machine are taken; run senryu-agent --cleanup for homes not in use.")


def recorded(agent_directory: Path) -> Lot | None:
    """The lot a home has drawn before."""
    record = agent_directory / "lot"
    number = _number(record)
    return None if number is None else Lot(number)


def _number(record: Path) -> int | None:
    """What a home has drawn; None also for a file that lost its content with the power."""
    try:
        return int(record.read_text())
    except (FileNotFoundError, ValueError):
        return None


def hold(lot: Lot, home: Path) -> bool:
    """Makes sure that nobody else draws a lot that `home` had; False when another home has it by now."""
    with _claims():
        owner = CLAIMS / str(lot.number)
        if owner.exists() and owner.read_text() != str(home) and not _is_stale(owner, lot.number):
            return False
        owner.write_text(str(home))
        return True


def release(lot: Lot, take_down: Callable[[bool], None]) -> None:
    """Gives back a lot that is held, once `take_down` has removed what carries its number: nobody can draw it before.

    `take_down` is told whether it is the last lot on this machine.
    """
    with _claims():
        owner = CLAIMS / str(lot.number)
        take_down(not any(path.name.isdigit() for path in CLAIMS.iterdir() if path != owner))
        owner.unlink(missing_ok=True)


def _preference(before: int | None, home: Path) -> Iterator[int]:
    if before is not None:
        yield before
    taken_by_us = [int(path.name) for path in CLAIMS.iterdir() if path.name.isdigit() and path.read_text() == str(home)]
    yield from taken_by_us
    yield from range(_LOTS)


def _is_stale(owner: Path, number: int) -> bool:
    record = Path(owner.read_text()) / "agent" / "lot"
    return not record.exists() or record.read_text() != str(number)


@contextmanager
def _claims() -> Iterator[None]:
    CLAIMS.mkdir(mode=0o755, exist_ok=True)
    lock = os.open(CLAIMS / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
