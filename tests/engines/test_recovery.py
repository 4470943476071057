"""The agent is killed, restarted, doubled, spoken to by strangers, and told to leave no trace. Source: reliability catalogue, A and Y."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from senryu.core.dyno import BASE_ENV, DynoKind, Mount
from senryu.core.errors import Invalid, Unavailable
from senryu.core.limits import MIB
from senryu.engines.container import ContainerEngine
from system.traces import kinds, lot_of, traces

from .rig import DEADLINE_S, USER, Agent, ended, lines_of, one_off, order, read_until, result, running_agent, seen

pytestmark = pytest.mark.system

SERVE = "exec python3 -m http.server $PORT"


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent of the test's own, because it will not live to its end."""
    with running_agent() as running:
        yield running


async def test_dynos_outlive_the_agent_and_are_found_again(agent: Agent, engine: ContainerEngine) -> None:
    web, worker = order(SERVE), one_off("while :; do echo tick; sleep 0.05; done")
    await engine.start(web)
    await engine.start(worker)
    before = await seen(engine, web.id, lambda dyno: dyno.is_listening)
    agent.kill()
    with pytest.raises(Unavailable):
        await engine.dynos()
    assert before.address is not None
    host, port = before.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.0 200")
    writer.close()
    await asyncio.to_thread(agent.start)
    after = await seen(engine, web.id, lambda dyno: dyno.is_listening)
    assert (after.address, after.started_at) == (before.address, before.started_at)
    await engine.start(web)
    assert len(await engine.dynos()) == 2
    await engine.signal(worker.id, "TERM")
    assert (await ended(engine, worker.id)).exit_status == 143
    terminal = await engine.run_inside(web.id, "echo still here", BASE_ENV, tty=False, columns=80, lines=24)
    assert await read_until(terminal) == b"still here\n"
    await terminal.close()


async def test_what_ended_while_the_agent_was_away_is_told_with_its_status_and_output(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("sleep 0.5; echo last words; exit 9")
    await engine.start(wanted)
    agent.kill()
    exit_file = agent.home / "agent" / "logs" / str(wanted.id) / str(wanted.id)
    async with asyncio.timeout(DEADLINE_S):
        while not exit_file.exists():
            await asyncio.sleep(0.02)
    await asyncio.to_thread(agent.start)
    dyno = await ended(engine, wanted.id)
    assert dyno.exit_status == 9
    assert await lines_of(engine, wanted.id) == ["last words"]


async def test_output_that_fills_its_file_while_neither_agent_nor_reader_lives_is_all_read_later(
    agent: Agent, engine: ContainerEngine
) -> None:
    wanted = one_off("seq 1000; sleep 2; seq 1001 400000")  # 21 MB as it is recorded: more than one file, less than two
    await engine.start(wanted)
    directory = agent.home / "agent" / "logs" / str(wanted.id)
    async with asyncio.timeout(DEADLINE_S):
        async for _ in engine.output(wanted.id, -1):
            break
        agent.kill()
        first = (directory / "log").stat().st_ino
        while not (directory / str(wanted.id)).exists():
            await asyncio.sleep(0.02)
        assert (directory / "log").stat().st_ino != first
        await asyncio.to_thread(agent.start)
    assert await lines_of(engine, wanted.id) == [str(number) for number in range(1, 400_001)]
    await engine.remove(wanted.id)
    assert not directory.exists()


async def test_the_readers_and_watchers_of_a_restarted_agent_go_on(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("while :; do echo tick; sleep 0.05; done")
    await engine.start(wanted)
    told: list[bool] = []

    async def watch() -> None:
        async for dyno in engine.changes():
            told.append(dyno.is_running)
            if not dyno.is_running:
                return

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        reading = tasks.create_task(lines_of(engine, wanted.id))
        agent.kill()
        await asyncio.to_thread(agent.start)
        await engine.signal(wanted.id, "TERM")
    assert set(reading.result()) == {"tick"}
    assert told[-1] is False


async def test_a_dyno_whose_shim_is_killed_is_killed_and_told_as_ended(agent: Agent, engine: ContainerEngine) -> None:
    wanted = order(SERVE)
    await engine.start(wanted)
    dyno = await seen(engine, wanted.id, lambda dyno: dyno.is_listening)
    kept = msgspec.json.decode((agent.home / "agent/dynos" / str(wanted.id) / "record.json").read_bytes())
    os.kill(kept["shim_pid"], signal.SIGKILL)
    assert (await ended(engine, wanted.id)).exit_status == 137
    assert dyno.address is not None
    with pytest.raises(OSError):
        await asyncio.wait_for(asyncio.open_connection(*dyno.address.split(":")), 2)


async def test_a_half_started_dyno_is_cleared_away_and_can_be_started_again(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("sleep 1000")
    await engine.start(wanted)
    agent.kill()
    (agent.home / "agent/dynos" / str(wanted.id) / "record.json").unlink()  # as if it was killed just before it kept the record
    await asyncio.to_thread(agent.start)
    assert await engine.dynos() == []
    await engine.start(wanted)
    assert (await seen(engine, wanted.id, lambda _: True)).is_running


async def test_killing_the_agent_while_it_starts_dynos_leaves_each_running_or_gone(agent: Agent, engine: ContainerEngine) -> None:
    for delay_s in (0.01, 0.03, 0.05, 0.08):
        wanted = [one_off("sleep 1000", disk_bytes=64 * MIB) for _ in range(3)]
        starts = [asyncio.create_task(engine.start(one)) for one in wanted]
        await asyncio.sleep(delay_s)
        agent.kill()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.to_thread(agent.start)
        found = await engine.dynos()
        assert all(dyno.is_running for dyno in found)
        await asyncio.gather(*(engine.start(one) for one in wanted))
        assert {dyno.id for dyno in await engine.dynos()} == {one.id for one in wanted}
        await asyncio.gather(*(engine.remove(one.id) for one in wanted))
    kept = agent.home / "agent"
    assert [list((kept / name).iterdir()) for name in ("dynos", "logs", "runc")] == [[], [], []]


async def test_a_start_waits_for_its_own_agent_while_what_a_killed_one_left_still_listens(agent: Agent, engine: ContainerEngine) -> None:
    agent.kill()
    path = agent.home / "run/agent.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
        await asyncio.to_thread(agent.start)
        assert await engine.dynos() == []


async def test_two_platforms_run_side_by_side_and_do_not_reach_each_other(agent: Agent, engine: ContainerEngine) -> None:
    with running_agent() as other_agent:
        async with ContainerEngine(other_agent.home) as other:
            first, second = order(SERVE), order(SERVE)
            await engine.start(first)
            await other.start(second)
            one = await seen(engine, first.id, lambda dyno: dyno.is_listening)
            two = await seen(other, second.id, lambda dyno: dyno.is_listening)
            assert one.address is not None and two.address is not None
            assert one.address != two.address
            host, port = two.address.split(":")
            lines, _ = await result(engine, f"timeout 2 bash -c 'echo > /dev/tcp/{host}/{port}' 2>/dev/null && echo escaped")
            assert lines == []
        other_agent.clean_up()
        assert (await seen(engine, first.id, lambda _: True)).is_listening
        other_agent.home.mkdir()
        other_agent.home.with_suffix(".log").touch()


async def test_cleaning_up_leaves_nothing_outside_the_home(engine: ContainerEngine, agent: Agent) -> None:
    source = agent.home / "builds" / "source"
    source.mkdir(parents=True)
    build = one_off("sleep 1000", kind=DynoKind.BUILD, mounts=(Mount(str(source), "/source"),))
    wanted = [order(SERVE, name="web.1"), one_off("cat", stdin=True), one_off("trap '' TERM; sleep 1000 & sleep 1000"), build]
    for one in wanted:
        await engine.start(one)
    lot = lot_of(agent.home)
    assert kinds(traces(agent.home, lot)) >= {"process", "link", "nftables", "cgroup", "mount", "loop", "claim"}
    agent.stop()
    assert (agent.home / "agent" / "dynos").exists()
    command = [sys.executable, "-m", "senryu.agent", "--home", str(agent.home), "--user", USER, "--cleanup"]
    for _ in range(2):
        subprocess.run(command, check=True, timeout=DEADLINE_S)
    assert traces(agent.home, lot) == set()
    agent.start()


def test_a_second_agent_for_the_same_home_refuses_to_run(agent: Agent) -> None:
    command = [sys.executable, "-m", "senryu.agent", "--home", str(agent.home), "--user", USER]
    for more in ([], ["--cleanup"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 1
        assert "Another senryu-agent runs" in done.stderr


_AS_USER = """
import asyncio, pathlib, sys
from senryu.engines.container import ContainerEngine
async def main():
    async with ContainerEngine(pathlib.Path(sys.argv[1])) as engine:
        print([dyno.name for dyno in await engine.dynos()])
        async for lines in engine.output((await engine.dynos())[0].id, -1):
            print([line.text.decode() for line in lines])
asyncio.run(main())
"""


async def test_the_platforms_user_and_nobody_else_may_speak_to_the_agent(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("echo for the platform only")
    await engine.start(wanted)
    await ended(engine, wanted.id)
    ours = pwd.getpwnam(USER)
    source = str(Path(sys.modules["senryu"].__file__ or "").parent.parent)
    for uid, gid, may in ((ours.pw_uid, ours.pw_gid, True), (ours.pw_uid - 7, ours.pw_gid, False), (ours.pw_uid - 7, 65533, False)):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _AS_USER, str(agent.home)],
            user=uid,
            group=gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env={"PYTHONPATH": source},
            cwd="/",
        )
        assert (done.returncode == 0) is may, done.stderr
        if may:
            assert done.stdout.splitlines() == ["['run.1']", "['for the platform only']"]
        else:
            assert "does not answer" in done.stderr


async def test_starts_that_fail_and_clients_that_leave_cost_nothing(agent: Agent, engine: ContainerEngine) -> None:
    assert agent.process is not None
    files = Path(f"/proc/{agent.process.pid}/fd")
    waiting = one_off("sleep 1000", stdin=True)
    await engine.start(waiting)
    terminal = await engine.attach(waiting.id)
    await result(engine, "true")
    before = len(list(files.iterdir()))
    for _ in range(5):
        with pytest.raises(Invalid):
            await engine.start(one_off("true", stack="heroku-99"))
        waits = [terminal.exit_status(), _first_change(engine), _all_changes(engine)]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(DEADLINE_S):
        while len(list(files.iterdir())) > before:
            await asyncio.sleep(0.02)
    await terminal.close()


async def _first_change(engine: ContainerEngine) -> int:
    async with aclosing(engine.changes()) as changes:
        return len([await anext(changes)])


async def _all_changes(engine: ContainerEngine) -> int:
    async with aclosing(engine.changes()) as changes:
        return len([dyno async for dyno in changes])


def _ask_raw(agent: Agent, sent: bytes) -> bytes:
    """The answer to raw bytes; empty when the agent hung up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(agent.home / "run/agent.sock"))
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)
        except OSError:
            return b""


def _framed(payload: bytes) -> bytes:
    return struct.pack("!I", len(payload)) + payload


async def test_junk_gets_a_refusal_and_does_no_harm(agent: Agent, engine: ContainerEngine) -> None:
    valid = {"do": "signal", "dyno_id": str(uuid4()), "signal": "TERM"}
    encode = msgspec.msgpack.encode
    refused = [
        _framed(b""),
        _framed(b"\xc1" * 100),
        _framed(os.urandom(1000)),
        _framed(b"GET / HTTP/1.1\r\n\r\n"),
        _framed(b"\x91" * 100_000),  # deep nesting
        _framed(b"\xdd\xff\xff\xff\xff"),  # an array that claims 4 billion entries
        _framed(encode({})),
        _framed(encode({"do": "become_root"})),
        _framed(encode({**valid, "more": 1})),
        _framed(encode({**valid, "signal": "STOP"})),
        _framed(encode({**valid, "dyno_id": "../../etc"})),
        _framed(encode({**valid, "dyno_id": 7})),
        _framed(encode({"do": "start", "order": {}})),
        _framed(encode({"do": "import_stack", "name": "../../etc", "source": "/etc"})),
        struct.pack("!I", 1 << 31) + b"x",
    ]
    for sent in refused:
        answer = await asyncio.to_thread(_ask_raw, agent, sent)
        assert msgspec.msgpack.decode(answer[4:])["is"] == "failed", sent[:40]
    for cut in (b"", b"\0", b"\0\0\0\x10half"):
        assert await asyncio.to_thread(_ask_raw, agent, cut) == b""
    answer = await asyncio.to_thread(_ask_raw, agent, _framed(encode(valid)))
    assert msgspec.msgpack.decode(answer[4:]) == {"is": "done"}
    assert "Traceback" not in agent.said()
    assert (await result(engine, "echo fine"))[0] == ["fine"]
