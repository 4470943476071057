"""runit service directories below the home: for machines without systemd, and for copies that come and go."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from ..config import Settings
from .directories import make_directories
from .services import USER, Service, preparation, services

_PREPARE_TIMEOUT_S = 600.0


def environment(home: Path) -> dict[str, str]:
    """What the processes find: nothing of whoever started them (a HOME that is not theirs misleads libraries)."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home / "run"), "LANG": "C.UTF-8"}


def run_script(service: Service, home: Path) -> str:
    """The `run` file of a service: drops to its user and becomes the process. Pure."""
    lines = ["#!/bin/sh", "exec 2>&1", f"umask {'022' if service.user == 'root' else '007'}", "cd /"]
    words: tuple[str, ...] = service.argv
    if service.user != "root":
        capabilities = tuple(f"+{name}" for name in service.capabilities)
        raised = (f"--inh-caps={','.join(capabilities)}", f"--ambient-caps={','.join(capabilities)}") if capabilities else ()
        words = ("setpriv", f"--reuid={service.user}", f"--regid={USER}", "--init-groups", *raised, *words)
    if service.niceness:
        lines.append(f"prlimit --nice={20 - service.niceness} --pid $$ || true")  # for sessions that it begins
        words = ("nice", "-n", str(service.niceness), *words)  # where it may not, it says so and goes on
    lines.append("exec " + shlex.join(("env", "-i", *(f"{name}={value}" for name, value in environment(home).items()), *words)))
    return "\n".join(lines) + "\n"


def install(settings: Settings) -> list[Path]:
    """Writes `$HOME/services/<name>/run` and a logger beside each. Gives the directories.

    Raises: CalledProcessError when the database or the router's files cannot be made; what failed has said why.
    """
    make_directories(settings)
    as_user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--")
    subprocess.run((*as_user, *preparation(settings)), cwd="/", env=environment(settings.home), check=True, timeout=_PREPARE_TIMEOUT_S)
    made = []
    for service in services(settings):
        folder = settings.home / "services" / service.name
        (folder / "log" / "main").mkdir(parents=True, exist_ok=True)
        _write(folder / "run", run_script(service, settings.home))
        # svlogd keeps ten files of 1 MB: the platform's own words have a bound.
        _write(folder / "log" / "run", "#!/bin/sh\nexec svlogd -tt ./main\n")
        made.append(folder)
    return made


def _write(path: Path, content: str) -> None:
    if path.exists() and path.read_text() == content:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    fresh.chmod(0o755)
    fresh.replace(path)
