"""A real git client against the door behind a real uvicorn on loopback; only `authorize` and `deploy` are made up."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pytest
import uvicorn
from starlette.applications import Starlette

from senryu.core.account import Account
from senryu.core.errors import Forbidden, NotFound, Unauthorized
from senryu.git import GitDoor, PushTarget

TOKEN = "correct-token"
GIT_TIMEOUT_S = 60
NAMESPACE = UUID("6f1c7c1e-0f0c-4ad0-9e43-0a4ab3b5d7a1")
ACCOUNT = Account(UUID(int=1), "dev@example.com", None, "", True, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Git:
    """What a git command printed and how it ended."""

    status: int
    text: str


@dataclass
class House:
    """The platform behind the door: it knows the apps `shop` and `blog`, and `theirs`, which may not be pushed to."""

    commits: list[str] = field(default_factory=list)
    trees: list[dict[str, tarfile.TarInfo]] = field(default_factory=list)
    contents: list[dict[str, bytes]] = field(default_factory=list)
    on_deploy: Callable[[PushTarget, Callable[[bytes], Awaitable[None]]], Awaitable[None]] | None = None
    reads_source: bool = True
    url: str = ""
    repositories: Path = Path()

    async def authorize(self, app_name: str, username: str, password: str, *, wants_push: bool) -> PushTarget:
        if password != TOKEN:
            raise Unauthorized("That token is not valid; run `senryu login`.")
        if app_name == "theirs" and wants_push:
            raise Forbidden("You may not push to theirs; ask its owner for access.")
        if app_name not in ("shop", "blog", "theirs"):
            raise NotFound("Couldn't find that app.")
        return PushTarget(uuid5(NAMESPACE, app_name), app_name, ACCOUNT)

    async def deploy(
        self, target: PushTarget, commit: str, source: AsyncIterator[bytes], output: Callable[[bytes], Awaitable[None]]
    ) -> None:
        if self.reads_source:
            self.remember(b"".join([chunk async for chunk in source]))
        if self.on_deploy:
            await self.on_deploy(target, output)
        else:
            await output(b"-----> Building\n       done\n")
        self.commits.append(commit)

    def remember(self, archive: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = tar.getmembers()
            self.trees.append({member.name: member for member in members})
            read = {member.name: tar.extractfile(member) for member in members if member.isfile()}
            self.contents.append({name: file.read() for name, file in read.items() if file})

    def repository(self, app_name: str) -> Path:
        return self.repositories / f"{uuid5(NAMESPACE, app_name)}.git"

    def address(self, app_name: str, token: str = TOKEN) -> str:
        return f"{self.url.replace('://', f'://heroku:{token}@')}/{app_name}.git"


@dataclass
class Checkout:
    """A developer's working copy."""

    path: Path

    async def git(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Git:
        return await git(*arguments, at=self.path, stdin=stdin, **environment)

    async def commit(self, message: str = "change", **files: str | bytes) -> str:
        """Commits files named by keyword, `__` for `/` and `_dot_` for `.`; gives the commit."""
        for name, content in files.items():
            path = self.path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        await self.git("add", "--all")
        await self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return (await self.git("rev-parse", "HEAD")).text.strip()


async def git(*arguments: str, at: Path, stdin: bytes = b"", **environment: str) -> Git:
    program = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=at, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false", "GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.com",
            "GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.com",
            **environment,
        },
    )  # fmt: skip
    try:
        async with asyncio.timeout(GIT_TIMEOUT_S):
            text, _ = await program.communicate(stdin)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return Git(program.returncode or 0, text.decode("utf-8", "replace"))


@asynccontextmanager
async def opened(house: House, repositories: Path, **settings: int) -> AsyncIterator[House]:
    """The door, answering."""
    listening = socket.create_server(("127.0.0.1", 0))
    house.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    house.repositories = repositories
    async with GitDoor(authorize=house.authorize, deploy=house.deploy, repositories=repositories, **settings) as door:
        app = Starlette(routes=door.routes)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            yield house
        finally:
            server.should_exit = True
            server.force_exit = True
            await serving
            listening.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(House(), tmp_path / "repositories") as house:
        yield house


@pytest.fixture
async def checkout(tmp_path: Path, house: House) -> Checkout:
    return await new_checkout(tmp_path / "checkout", house)


async def new_checkout(path: Path, house: House, app_name: str = "shop") -> Checkout:
    path.mkdir()
    checkout = Checkout(path)
    await checkout.git("init", "--quiet", "--initial-branch=main")
    await checkout.git("remote", "add", "senryu", house.address(app_name))
    return checkout
