"""Repositories of apps on disk, and what git may do in them.

Every setting is ours: no system or personal configuration, no hooks or attributes of a pusher, no environment but the one below.
Source: https://git-scm.com/docs/git-config, git-receive-pack, gitattributes
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S, GIT_PACK_MAX_BYTES, MIB

from .program import started

_KEPT_FREE_BYTES = 32 * MIB
_ATTRIBUTES = "* -export-ignore -export-subst !filter !working-tree-encoding -ident\n"
"""Above the pusher's own .gitattributes: a build gets the files as they were committed."""

_CONFIGURATION = """\
[init]
	defaultBranch = main
[core]
	hooksPath = {hooks}
	protectHFS = true
	protectNTFS = true
	fsync = committed,reference
	bigFileThreshold = 16m
	packedGitWindowSize = 16m
	packedGitLimit = 256m
	attributesFile = /dev/null
	excludesFile = /dev/null
	fsmonitor = false
[protocol]
	allow = never
[transfer]
	fsckObjects = true
	advertiseSID = false
[receive]
	fsckObjects = true
	maxInputSize = {pack_max_bytes}
	denyDeletes = true
	denyNonFastForwards = false
	denyCurrentBranch = refuse
	advertisePushOptions = false
	shallowUpdate = true
	keepAlive = 5
	autogc = true
[uploadpack]
	allowAnySHA1InWant = false
	keepAlive = 5
[fetch]
	fsckObjects = true
[gc]
	autoDetach = false
[pack]
	threads = 1
	windowMemory = 128m
[index]
	threads = 1
[submodule]
	recurse = false
"""


class Repositories:
    """Bare repositories `<directory>/<app id>.git`, created on first use. Quarantines left by a crash are removed."""

    def __init__(self, directory: Path, *, pack_max_bytes: int = GIT_PACK_MAX_BYTES) -> None:
        self._directory = directory.resolve()
        self._settings = self._directory / ".git-door"
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._receiving: Counter[Path] = Counter()
        self._write_settings(pack_max_bytes)
        for path in self._directory.glob("*.git"):
            _sweep(path)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a git program."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._settings / "home"),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._settings / "config"),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **(extra or {}),
        }

    @asynccontextmanager
    async def receiving(self, path: Path) -> AsyncIterator[None]:
        """Around each push. git leaves its quarantine behind when it is killed; the last push to leave removes that."""
        self._receiving[path] += 1
        try:
            yield
        finally:
            self._receiving[path] -= 1
            if self._receiving[path] == 0:
                del self._receiving[path]
                _sweep(path)

    async def prepared(self, app_id: UUID) -> Path:
        """The app's repository, made when there is none yet. Raises: Unavailable when that fails."""
        path = self._directory / f"{app_id}.git"
        async with self._locks.setdefault(app_id, asyncio.Lock()):
            if not path.exists():
                await self._create(path)
        return path

    def check_space(self) -> None:
        """Raises: Unavailable when the disk is too full for a push; what is left is for the database and running apps."""
        disk = os.statvfs(self._directory)
        if disk.f_bavail * disk.f_frsize < _KEPT_FREE_BYTES or (disk.f_files and not disk.f_favail):
            raise Unavailable("The platform's disk is full, so it takes no pushes; its operator must free disk space.")

    async def remove(self, app_id: UUID) -> None:
        """Deletes the app's repository. Idempotent."""
        path = self._directory / f"{app_id}.git"
        async with self._locks.setdefault(app_id, asyncio.Lock()):
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        self._locks.pop(app_id, None)

    async def set_head(self, path: Path, ref: str) -> None:
        """Makes `ref` the branch that a clone checks out. Raises: Unavailable."""
        await self._git("-C", str(path), "symbolic-ref", "HEAD", ref)

    async def _create(self, path: Path) -> None:
        making = self._directory / f".new-{path.name}"
        try:
            await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
            await self._git("init", "--quiet", "--bare", "--template=", str(making))
            (making / "info").mkdir(exist_ok=True)
            (making / "info" / "attributes").write_text(_ATTRIBUTES)
            making.rename(path)
        except OSError as error:
            raise _failure() from error

    async def _git(self, *arguments: str) -> None:
        async with started(["git", *arguments], self.environment(), file_max_bytes=MIB) as program:
            try:
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    await program.communicate()
            except TimeoutError as error:
                raise _failure() from error
        if program.returncode != 0:
            raise _failure()

    def _write_settings(self, pack_max_bytes: int) -> None:
        hooks = self._settings / "hooks"
        for folder in (hooks, self._settings / "home"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        interpreter = os.path.realpath(sys.executable)
        hook = (Path(__file__).parent / "pre_receive.py").read_text()
        _replace(hooks / "pre-receive", f"#!{interpreter} -ISE\n{hook}", 0o700)
        configuration = _CONFIGURATION.format(hooks=_quoted(hooks), pack_max_bytes=pack_max_bytes)
        _replace(self._settings / "config", configuration, 0o600)


def _sweep(path: Path) -> None:
    for leftover in path.glob("objects/tmp_objdir-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _failure() -> Unavailable:
    return Unavailable("The app's repository could not be written; push again, or ask the platform's operator to check its disk.")


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _replace(path: Path, text: str, mode: int) -> None:
    if path.exists() and path.read_text() == text:
        return  # a start on a full disk has nothing to write
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.chmod(mode)
    beside.rename(path)
