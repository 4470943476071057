"""Reading what a push brought, still in quarantine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from senryu.core.errors import Invalid, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S, GIB, SOURCE_MAX_BYTES

from .program import output, started
from .push import RefUpdate, Tip


class Objects:
    """The objects of a repository as one push sees them. `environment` names its quarantine."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment

    async def tip(self, update: RefUpdate) -> Tip:
        """What a ref is now and what it would become. Raises: Unavailable when git does not say."""
        command = ["git", "-C", str(self._path), "cat-file", "--batch-check=%(objecttype) %(objectname)"]
        questions = f"{update.new}\n{update.ref}\n{update.new}:.gitmodules\n"
        async with started(command, self._environment, file_max_bytes=0) as program:
            try:
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    answer, _ = await program.communicate(questions.encode())
            except TimeoutError:
                answer = b""
        lines = answer.decode("utf-8", "replace").splitlines()
        if program.returncode != 0 or len(lines) != 3:
            raise Unavailable("What was pushed could not be read; push again.")
        new, current, modules = (line.split(" ") for line in lines)
        return Tip(current[1] if current[0] == "commit" else None, None if new[-1] == "missing" else new[0], modules[0] == "blob")

    async def archive(self, commit: str) -> AsyncGenerator[bytes, None]:
        """The commit's files as a tar.

        Raises: Invalid above limits.SOURCE_MAX_BYTES; Unavailable when git fails, after chunks that are then worthless.
        """
        size = 0
        command = ["git", "-C", str(self._path), "archive", "--format=tar", commit]
        async with started(command, self._environment, file_max_bytes=0) as program:
            async for chunk in output(program):
                size += len(chunk)
                if size > SOURCE_MAX_BYTES:
                    raise Invalid(
                        f"The files of this commit are larger than {SOURCE_MAX_BYTES // GIB} GB; take large files out of the repository."
                    )
                yield chunk
            if await program.wait() != 0:
                raise Unavailable("The files of this commit could not be read; push again.")
