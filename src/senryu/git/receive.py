"""One push: git receives into quarantine, its pre-receive hook asks here, the commit is deployed, git moves the ref.

git does the receiving, checking and storing. The hook talks over a socket pair inherited from here, so nothing else can reach it.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import Process
from pathlib import Path
from uuid import UUID

import structlog

from senryu.core.errors import BadRequest, Conflict, PlatformError, Unavailable
from senryu.core.limits import GIT_REFS_MAX_BYTES, PUSH_TIMEOUT_S

from .answer import Answer
from .objects import Objects
from .program import output, started
from .push import RefUpdate, check_tip, decide, ref_updates, refusal
from .repository import Repositories
from .target import Deploy, Output, PushTarget

_log = structlog.get_logger()
_FRAME_MAX_BYTES = 32 * 1024
_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_SHALLOW_FILE")


class Receive:
    """A push under way. `run` lives until git has ended, with or without a client; `answer` is what the client gets.

    Takes: `deploying`, the apps a push is being deployed to, shared by all pushes; `file_max_bytes`, the largest file git may write.
    """

    def __init__(
        self, target: PushTarget, path: Path, *, repositories: Repositories, deploy: Deploy, deploying: set[UUID], file_max_bytes: int
    ) -> None:
        self.answer = Answer(outlives_client=True)
        self.program: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._target = target
        self._path = path
        self._repositories = repositories
        self._deploy = deploy
        self._deploying = deploying
        self._is_deploying = False
        self._file_max_bytes = file_max_bytes

    async def run(self) -> None:
        """Carries the push out. Raises nothing, but can be cancelled."""
        ours, theirs = socket.socketpair()
        try:
            async with asyncio.timeout(PUSH_TIMEOUT_S), self._repositories.receiving(self._path):
                await self._run(ours, theirs)
        except Exception:
            _log.exception("push_ended_early", app=self._target.app_name)
        finally:
            theirs.close()
            ours.close()
            if not self.program.done():
                self.program.set_exception(Unavailable("git could not be started for this push; push again in a minute."))
            if self._is_deploying:
                self._deploying.discard(self._target.app_id)
            self.answer.finish()

    async def _run(self, ours: socket.socket, theirs: socket.socket) -> None:
        command = ["git", "receive-pack", "--stateless-rpc", str(self._path)]
        environment = self._repositories.environment({"SENRYU_PUSH_FD": str(theirs.fileno())})
        async with started(command, environment, file_max_bytes=self._file_max_bytes, descriptors=(theirs.fileno(),)) as program:
            theirs.close()
            self.program.set_result(program)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._converse(ours), name=f"push:{self._target.app_name}")
                tasks.create_task(self.answer.fill(output(program)), name=f"push-answer:{self._target.app_name}")
            await program.wait()

    async def _converse(self, ours: socket.socket) -> None:
        """Answers the hook, if git comes to run it; it does not when what it received is damaged or too large."""
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            question = b""
            while chunk := await reader.read(_FRAME_MAX_BYTES):
                question += chunk
                if len(question) > 2 * GIT_REFS_MAX_BYTES:
                    return
            if question:
                status = await self._decide(question, _to_hook(writer))
                writer.write(_frame(b"x", bytes([status])))
                await writer.drain()
        except ConnectionError:
            _log.warning("push_hook_gone", app=self._target.app_name)
        finally:
            writer.close()

    async def _decide(self, question: bytes, say: Output) -> int:
        """Gives the hook's exit status: 0 lets git move the refs."""
        try:
            variables, _, lines = question.partition(b"\0\0")
            quarantine = dict(pair.decode().split("=", 1) for pair in variables.split(b"\0") if b"=" in pair)
            if not set(quarantine) <= set(_QUARANTINE):
                raise BadRequest("The push could not be read; try again.")
            await self._carry_out(ref_updates(lines), Objects(self._path, self._repositories.environment(quarantine)), say)
        except PlatformError as error:
            await say(refusal(self._target.app_name, error.message).encode())
            return 1
        except Exception:
            _log.exception("push_failed", app=self._target.app_name)
            message = "The platform failed in a way it did not expect; try again, and tell its operator if it happens again."
            await say(refusal(self._target.app_name, message).encode())
            return 1
        return 0

    async def _carry_out(self, updates: tuple[RefUpdate, ...], objects: Objects, say: Output) -> None:
        decision = decide(updates)
        for notice in decision.notices:
            await say(f"-----> {notice}\n".encode())
        if decision.deployed is None:
            return
        self._claim()
        for notice in check_tip(decision.deployed, await objects.tip(decision.deployed)):
            await say(f" !     {notice}\n".encode())
        commit = decision.deployed.new
        await self._deploy(self._target, commit, objects.archive(commit), say)
        if decision.deployed.is_creation:
            await self._repositories.set_head(self._path, decision.deployed.ref)

    def _claim(self) -> None:
        """Keeps a second push from deploying before the first has moved its ref, not only while it builds."""
        if self._target.app_id in self._deploying:
            raise Conflict(f"Another push to {self._target.app_name} is being deployed; wait until it has ended, then push again.")
        self._deploying.add(self._target.app_id)
        self._is_deploying = True


def _to_hook(writer: asyncio.StreamWriter) -> Output:
    async def say(chunk: bytes) -> None:
        try:
            for start in range(0, len(chunk), _FRAME_MAX_BYTES):
                writer.write(_frame(b"o", chunk[start : start + _FRAME_MAX_BYTES]))
                await writer.drain()
        except ConnectionError:
            # git was ended from outside; what was begun goes on to its end, as when the pusher goes.
            return

    return say


def _frame(kind: bytes, payload: bytes) -> bytes:
    return kind + len(payload).to_bytes(4, "big") + payload
