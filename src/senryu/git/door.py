"""Git over HTTP: the smart protocol's three addresses for each app; everything else is not there.

Source: https://git-scm.com/docs/gitprotocol-http, https://git-scm.com/docs/git-http-backend, https://devcenter.heroku.com/articles/git
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from senryu.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PlatformError,
    RateLimited,
    Unauthorized,
    Unavailable,
)  # fmt: skip
from senryu.core.limits import (
    AGENT_TIMEOUT_S,
    GIT_FETCH_MAX_BYTES,
    GIT_PACK_MAX_BYTES,
    GIT_PROGRAMS_MAX,
    GIT_REFS_MAX_BYTES,
    PUSH_TIMEOUT_S,
)  # fmt: skip

from .answer import Answer, GitResponse
from .pkt_line import FLUSH, RefListBound, packet
from .program import feed, output, started, steady, too_large, unpacked
from .receive import Receive
from .repository import Repositories
from .target import Authorize, Deploy, PushTarget

_log = structlog.get_logger()
_APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SERVICES = ("git-receive-pack", "git-upload-pack")
_STATUSES: dict[type[PlatformError], int] = {
    BadRequest: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, Conflict: 409, Invalid: 422, RateLimited: 429, Unavailable: 503,
}  # fmt: skip
_PROGRESS = b"\x02"  # the side band whose text git shows as `remote: …`


class GitDoor:
    """The git side of the platform. Enter it before requests come; leaving it ends what is under way.

    Takes: `authorize` and `deploy`, see target.py; `repositories`, the directory of all repositories, ours alone;
    `pack_max_bytes`, the largest push.
    """

    def __init__(self, *, authorize: Authorize, deploy: Deploy, repositories: Path, pack_max_bytes: int = GIT_PACK_MAX_BYTES) -> None:
        self.repositories = Repositories(repositories, pack_max_bytes=pack_max_bytes)
        self._authorize = authorize
        self._deploy = deploy
        self._pack_max_bytes = pack_max_bytes
        self._deploying: set[UUID] = set()
        self._refs_at_once = asyncio.Semaphore(GIT_PROGRAMS_MAX)
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._tasks)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._running:
            task.cancel()
        await self._stack.aclose()

    @property
    def routes(self) -> list[Route]:
        """To be tried before any that match everything."""
        endpoints = {
            "/info/refs": self._refs, "/git-receive-pack": self._receive, "/git-upload-pack": self._upload,
            "": _nothing, "/{rest:path}": _nothing,
        }  # fmt: skip
        return [Route(f"/{{app}}.git{path}", _told(endpoint), methods=["GET", "POST"]) for path, endpoint in endpoints.items()]

    async def _refs(self, request: Request) -> Response:
        """What the repository has, the first question of every push and fetch."""
        service = request.query_params.get("service", "")
        if request.method != "GET" or service not in _SERVICES:
            return await _nothing(request)
        target = await self._target(request, service)
        if service == "git-receive-pack":
            self.repositories.check_space()
        path = await self.repositories.prepared(target.app_id)
        environment = self.repositories.environment(_protocol(request, service))
        command = ["git", service.removeprefix("git-"), "--stateless-rpc", "--http-backend-info-refs", str(path)]
        async with self._refs_at_once, started(command, environment, file_max_bytes=0) as program:
            try:
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    refs, _ = await program.communicate()
            except TimeoutError:
                refs = b""
        if program.returncode != 0 or not refs:
            raise Unavailable(f"The repository of {target.app_name} could not be read; try again.")
        # Version 2 answers with its capabilities alone.
        head = b"" if environment.get("GIT_PROTOCOL") == "version=2" else packet(f"# service={service}\n".encode()) + FLUSH
        return Response(head + refs, media_type=f"application/x-{service}-advertisement", headers={"Cache-Control": "no-cache"})

    async def _receive(self, request: Request) -> Response:
        """A push. The connection may go once it is sent; the deploy goes on to its end."""
        if request.method != "POST":
            return await _nothing(request)
        target = await self._target(request, "git-receive-pack")
        self.repositories.check_space()
        path = await self.repositories.prepared(target.app_id)
        receive = Receive(
            target, path, repositories=self.repositories, deploy=self._deploy, deploying=self._deploying,
            file_max_bytes=2 * self._pack_max_bytes,
        )  # fmt: skip
        self._begin(receive.run(), "push")
        sent = _Sent()
        program = await asyncio.wait_for(asyncio.shield(receive.program), AGENT_TIMEOUT_S)
        try:
            # Above the limit git itself refuses and says so; a client that sends for ever is cut off a little later.
            body = _body(request, max_bytes=2 * self._pack_max_bytes + GIT_REFS_MAX_BYTES)
            await feed(program, sent.counted(body, RefListBound(GIT_REFS_MAX_BYTES)))
        except BaseException:
            receive.answer.discard()
            raise
        finally:
            if program.stdin:
                program.stdin.close()
        notice = b""
        if sent.size > self._pack_max_bytes:
            notice = packet(_PROGRESS + f" !     {too_large(self._pack_max_bytes).message}\n".encode())
        return GitResponse(receive.answer.stream(notice), "git-receive-pack-result")

    async def _upload(self, request: Request) -> Response:
        """A fetch or clone."""
        if request.method != "POST":
            return await _nothing(request)
        target = await self._target(request, "git-upload-pack")
        path = await self.repositories.prepared(target.app_id)
        question = b"".join([chunk async for chunk in _body(request, max_bytes=GIT_FETCH_MAX_BYTES)])
        environment = self.repositories.environment(_protocol(request, "git-upload-pack"))
        answer = Answer(outlives_client=False)
        self._begin(self._upload_to(answer, ["git", "upload-pack", "--stateless-rpc", str(path)], question, environment), "fetch")
        return GitResponse(answer.stream(), "git-upload-pack-result")

    async def _upload_to(self, answer: Answer, command: list[str], question: bytes, environment: dict[str, str]) -> None:
        try:
            async with (
                asyncio.timeout(PUSH_TIMEOUT_S),
                started(command, environment, file_max_bytes=0) as program,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(feed(program, _once(question)), name="fetch-question")
                tasks.create_task(answer.fill(output(program)), name="fetch-answer")
        except Exception:
            _log.exception("fetch_ended_early")
        finally:
            answer.finish()

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        """Runs what outlives a request's own task."""
        if len(self._running) >= GIT_PROGRAMS_MAX:
            work.close()
            raise Unavailable("Too many pushes and fetches are under way at once; try again in a minute.")
        task = self._tasks.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _target(self, request: Request, service: str) -> PushTarget:
        name = request.path_params["app"]
        if _APP_NAME.fullmatch(name) is None:
            raise NotFound(f"There is no app `{name[:80]!a}`; check the git remote's address with `git remote -v`.")
        username, password = _credentials(request)
        return await self._authorize(name, username, password, wants_push=service == "git-receive-pack")


class _Sent:
    """Counts what a pusher sends."""

    def __init__(self) -> None:
        self.size = 0

    async def counted(self, chunks: AsyncIterator[bytes], bound: RefListBound) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            bound.see(chunk)
            self.size += len(chunk)
            yield chunk


def _body(request: Request, *, max_bytes: int) -> AsyncIterator[bytes]:
    return unpacked(steady(request.stream()), request.headers.get("content-encoding", "").strip().lower(), max_bytes=max_bytes)


async def _once(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


def _protocol(request: Request, service: str) -> dict[str, str]:
    """The newer protocol, for fetches only, as a client asked for it."""
    wanted = request.headers.get("git-protocol", "")
    if service == "git-upload-pack" and wanted in ("version=1", "version=2"):
        return {"GIT_PROTOCOL": wanted}
    return {}


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "basic":
            username, colon, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
            if colon and password:
                return username, password
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Unauthorized("Give your API token as the password; `senryu login` and `senryu create` set that up.")


async def _nothing(request: Request) -> Response:
    raise NotFound("There is nothing here. Use git itself with this address, as in `git push senryu main`.")


def _told(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose errors become text, which git shows as `remote: …`."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PlatformError as error:
            status = next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)
            headers = {"WWW-Authenticate": 'Basic realm="Senryu", charset="UTF-8"'} if status == 401 else {}
            return PlainTextResponse(f"{error.message}\n", 413 if error.id == "too_large" else status, headers)
        except ClientDisconnect:
            return PlainTextResponse("", 400)

    return told
