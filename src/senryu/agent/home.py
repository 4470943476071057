"""Where things are below SENRYU_HOME, and what the agent owns of it."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from senryu.core.errors import Invalid, Unavailable

from . import foreign

# Overlay and nft options are joined by commas and colons; unix(7) paths end at 108 bytes.
_PLAIN = re.compile(r"/[A-Za-z0-9._/@+-]{0,80}")


@dataclass(frozen=True, slots=True)
class Home:
    """SENRYU_HOME (`root`) and the user senryud runs as."""

    root: Path
    uid: int
    gid: int

    @property
    def socket(self) -> Path:
        """Where senryud finds the agent."""
        return self.root / "run" / "agent.sock"

    @property
    def agent(self) -> Path:
        """Everything the agent keeps. Root's own."""
        return self.root / "agent"

    @property
    def slugs(self) -> Path:
        """Unpacked slugs."""
        return self.agent / "slugs"

    @property
    def disks(self) -> Path:
        """Throw-away disks made ahead."""
        return self.agent / "disks"

    @property
    def runtime(self) -> Path:
        """runc's own state."""
        return self.agent / "runc"

    @property
    def stacks(self) -> Path:
        """Imported stacks."""
        return self.root / "stacks"

    @property
    def records(self) -> Path:
        """One directory for each dyno."""
        return self.agent / "dynos"

    def dyno(self, dyno_id: UUID) -> Path:
        """The agent's directory of one dyno; also its OCI bundle."""
        return self.records / str(dyno_id)

    def output(self, dyno_id: UUID) -> Path:
        """Where a dyno's output and exit status are written. Readable for senryud's group."""
        return self.agent / "logs" / str(dyno_id)

    def exit_file(self, dyno_id: UUID) -> Path:
        """Holds the exit status once the dyno has ended."""
        return self.output(dyno_id) / str(dyno_id)


def home_of(directory: str, user: str) -> Home:
    """The home at `directory` of the platform that runs as `user`.

    Raises: Invalid when there is no such user or the path has characters that mount options cannot carry.
    """
    root = Path(os.path.realpath(directory))
    if not _PLAIN.fullmatch(str(root)) or root == Path("/"):
        raise Invalid(f"SENRYU_HOME `{root}` cannot be used: take a short path of letters, digits, dots and dashes.")
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Invalid(f"There is no user `{user}` on this machine; create it (useradd --system {user}) first.") from None
    return Home(root, account.pw_uid, account.pw_gid)


def prepare(home: Home) -> None:
    """Makes the agent's directories. SENRYU_HOME becomes root's: what root reads, runs or chowns there, senryud cannot replace."""
    for directory, mode, group in (
        (home.root, 0o755, 0),
        (home.root / "run", 0o1775, home.gid),
        (home.agent, 0o711, 0),
        (home.agent / "logs", 0o750, home.gid),
        (home.records, 0o700, 0),
        (home.slugs, 0o700, 0),
        (home.disks, 0o700, 0),
        (home.runtime, 0o700, 0),
        (home.stacks, 0o755, 0),
    ):
        directory.mkdir(parents=True, exist_ok=True)
        if directory.is_symlink():
            raise Invalid(f"`{directory}` is a symlink; the agent keeps its things in real directories only.")
        os.chown(directory, 0, group)
        os.chmod(directory, mode)
    foreign.top(home.root / "data")


def only_agent(home: Home) -> int:
    """A lock that says this home has an agent. Raises: Unavailable when another one holds it."""
    lock = os.open(home.agent / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Unavailable(f"Another senryu-agent runs for {home.root}; stop that one first.") from None
    return lock
