"""The Engine and OutputReader contracts, on every implementation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from senryu.core.dyno import BASE_ENV, Engine, OutputReader
from senryu.core.errors import Invalid, NotFound
from senryu.engines.container import ContainerEngine
from senryu.engines.memory import MemoryEngine

sys.path.insert(0, str(Path(__file__).parents[1]))
from engines import scripted
from engines.rig import DEADLINE_S, Agent, ended, lines_of, one_off, order, read_until, seen


class Subject(Engine, OutputReader, Protocol):
    """What an implementation is: both contracts."""


@pytest.fixture(scope="module")
def agents() -> Iterator[list[Agent]]:
    """At most one agent, started by the first test that wants it."""
    running: list[Agent] = []
    try:
        yield running
    finally:
        for agent in running:
            agent.clean_up()


@pytest.fixture(params=["memory", pytest.param("container", marks=pytest.mark.system)])
async def engine(request: pytest.FixtureRequest, agents: list[Agent]) -> AsyncIterator[Subject]:
    if request.param == "memory":
        async with MemoryEngine(scripted.PROGRAMS) as memory:
            yield memory
        return
    if not agents:
        agents.append(Agent())
        agents[0].start()
    async with ContainerEngine(agents[0].home) as container:
        yield container
        for dyno in await container.dynos():
            await container.remove(dyno.id)


async def test_a_dyno_gets_exactly_the_environment_it_was_ordered_with(engine: Subject) -> None:
    env = {**BASE_ENV, "PORT": "4321", "DYNO": "run.1", "GREETING": "grüß dich, 'you' \"there\" $HOME\nand here"}
    wanted = one_off(scripted.SHOW_ENV, env=env)
    await engine.start(wanted)
    lines = await lines_of(engine, wanted.id)
    shown = dict(line.split("=", 1) for line in lines if "=" in line)
    env.pop("PS1")  # bash takes it out of the environment of commands; interactive shells get it from /etc/bash.bashrc
    assert {**env, "GREETING": "grüß dich, 'you' \"there\" $HOME"}.items() <= shown.items()
    assert "and here" in lines
    assert set(shown) - set(env) <= {"_", "SHLVL", "OLDPWD", "PS1"}


async def test_a_dyno_that_binds_its_port_is_seen_to_listen(engine: Subject) -> None:
    wanted = order(scripted.SERVE)
    await engine.start(wanted)
    dyno = await seen(engine, wanted.id, lambda dyno: dyno.is_listening)
    assert dyno.is_running
    assert dyno.address is not None and dyno.address.endswith(":5000")
    assert (dyno.id, dyno.app_id, dyno.name, dyno.kind) == (wanted.id, wanted.app_id, wanted.name, wanted.kind)
    assert dyno.started_at is not None and dyno.started_at.tzinfo is not None
    assert (dyno.exit_status, dyno.ended_at) == (None, None)


async def test_a_dyno_that_binds_the_loopback_only_does_not_listen(engine: Subject) -> None:
    wanted = order(scripted.SERVE_LOCALLY)
    await engine.start(wanted)
    dyno = await seen(engine, wanted.id, lambda dyno: dyno.listens_locally)
    assert not dyno.is_listening


async def test_a_dyno_that_binds_another_port_is_seen_to(engine: Subject) -> None:
    wanted = order(scripted.SERVE_ELSEWHERE)
    await engine.start(wanted)
    dyno = await seen(engine, wanted.id, lambda dyno: dyno.other_port != 0)
    assert (dyno.other_port, dyno.is_listening, dyno.listens_locally) == (4567, False, False)


async def test_changes_tell_of_start_listening_and_end(engine: Subject) -> None:
    wanted = order(scripted.SERVE)
    told: list[tuple[bool, bool, int | None]] = []

    async def listen() -> None:
        async for dyno in engine.changes():
            if dyno.id == wanted.id:
                told.append((dyno.is_running, dyno.is_listening, dyno.exit_status))
                if dyno.is_listening:
                    await engine.signal(wanted.id, "TERM")
                if not dyno.is_running:
                    return

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        await asyncio.sleep(0)
        await engine.start(wanted)
        await listening
    assert told[-2:] == [(True, True, None), (False, False, 143)]


async def test_the_exit_status_is_told_and_kept_until_the_dyno_is_removed(engine: Subject) -> None:
    wanted = one_off(scripted.EXIT_3)
    await engine.start(wanted)
    dyno = await ended(engine, wanted.id)
    assert (dyno.exit_status, dyno.is_out_of_memory, dyno.is_listening) == (3, False, False)
    assert dyno.ended_at is not None and dyno.started_at is not None and dyno.ended_at >= dyno.started_at
    await engine.signal(wanted.id, "TERM")
    assert (await ended(engine, wanted.id)).exit_status == 3


async def test_term_ends_a_dyno_with_status_143(engine: Subject) -> None:
    wanted = one_off(scripted.SLEEP)
    await engine.start(wanted)
    await engine.signal(wanted.id, "TERM")
    assert (await ended(engine, wanted.id)).exit_status == 143


async def test_a_dyno_that_ignores_term_ends_by_kill_with_status_137(engine: Subject) -> None:
    wanted = one_off(scripted.STUBBORN)
    await engine.start(wanted)
    async with asyncio.timeout(DEADLINE_S):
        async for _ in engine.output(wanted.id, -1):
            break
    await engine.signal(wanted.id, "TERM")
    await engine.signal(wanted.id, "HUP")
    await asyncio.sleep(0.1)
    assert (await seen(engine, wanted.id, lambda _: True)).is_running
    await engine.signal(wanted.id, "KILL")
    assert (await ended(engine, wanted.id)).exit_status == 137


async def test_starting_the_same_dyno_again_changes_nothing(engine: Subject) -> None:
    wanted = one_off(scripted.SLEEP)
    await asyncio.gather(*(engine.start(wanted) for _ in range(3)))
    before = await seen(engine, wanted.id, lambda dyno: dyno.is_running)
    await engine.start(wanted)
    (after,) = [dyno for dyno in await engine.dynos() if dyno.id == wanted.id]
    assert after.started_at == before.started_at


async def test_a_removed_dyno_is_gone_and_may_be_removed_again(engine: Subject) -> None:
    wanted = order(scripted.SERVE)
    await engine.start(wanted)
    await engine.remove(wanted.id)
    assert wanted.id not in {dyno.id for dyno in await engine.dynos()}
    await engine.remove(wanted.id)
    await engine.remove(uuid4())
    await engine.signal(wanted.id, "KILL")


async def test_an_unknown_stack_is_refused_and_leaves_nothing(engine: Subject) -> None:
    wanted = one_off(scripted.SLEEP, stack="heroku-99")
    with pytest.raises(Invalid, match="heroku-99"):
        await engine.start(wanted)
    assert wanted.id not in {dyno.id for dyno in await engine.dynos()}


async def test_a_missing_slug_is_refused_and_leaves_nothing(engine: Subject) -> None:
    if isinstance(engine, MemoryEngine):
        engine.slugs = set()
    wanted = one_off(scripted.SLEEP, slug="a" * 64)
    with pytest.raises(Invalid, match="slug"):
        await engine.start(wanted)
    assert wanted.id not in {dyno.id for dyno in await engine.dynos()}


async def test_output_comes_in_order_and_can_be_resumed_after_any_position(engine: Subject) -> None:
    wanted = one_off(scripted.THREE_LINES)
    await engine.start(wanted)
    async with asyncio.timeout(DEADLINE_S):
        lines = [line async for batch in engine.output(wanted.id, -1) for line in batch]
    assert [line.text for line in lines] == [b"one", b"two", b"three"]
    assert [line.position for line in lines] == sorted({line.position for line in lines})
    assert {line.dyno_id for line in lines} == {wanted.id}
    assert await lines_of(engine, wanted.id, after=lines[0].position) == ["two", "three"]
    assert await lines_of(engine, wanted.id, after=lines[-1].position) == []


async def test_a_dyno_that_is_not_there_has_no_output(engine: Subject) -> None:
    assert await lines_of(engine, uuid4()) == []


async def test_a_program_with_stdin_begins_at_the_first_attach_and_its_status_is_told(engine: Subject) -> None:
    wanted = one_off(scripted.ECHO, stdin=True)
    await engine.start(wanted)
    await asyncio.sleep(0.1)
    assert (await seen(engine, wanted.id, lambda _: True)).is_running
    terminal = await engine.attach(wanted.id)
    assert b"early\n" in await read_until(terminal, b"early\n")
    await terminal.write(b"you\n")
    assert b"got you\n" in await read_until(terminal, b"got you\n")
    await terminal.write_eof()
    assert await read_until(terminal) == b""
    assert await asyncio.wait_for(terminal.exit_status(), DEADLINE_S) == 7
    await terminal.close()


async def test_a_waiting_program_can_be_ended_before_it_began(engine: Subject) -> None:
    wanted = one_off(scripted.ECHO, stdin=True)
    await engine.start(wanted)
    await engine.signal(wanted.id, "KILL")
    assert (await ended(engine, wanted.id)).exit_status == 137


async def test_a_terminal_has_a_size_and_can_be_resized(engine: Subject) -> None:
    wanted = one_off(scripted.SIZE, stdin=True, tty=True, columns=100, lines=30)
    await engine.start(wanted)
    terminal = await engine.attach(wanted.id)
    await terminal.write(b"\n")
    await read_until(terminal, b"30 100")
    await terminal.resize(120, 40)
    await terminal.write(b"\n")
    await read_until(terminal, b"40 120")
    assert await asyncio.wait_for(terminal.exit_status(), DEADLINE_S) == 0
    await terminal.close()


async def test_a_dyno_without_stdin_cannot_be_attached_to(engine: Subject) -> None:
    wanted = one_off(scripted.SLEEP)
    await engine.start(wanted)
    for dyno_id in (wanted.id, uuid4()):
        with pytest.raises(NotFound):
            await engine.attach(dyno_id)


async def test_a_command_runs_inside_a_running_dyno_and_its_status_is_told(engine: Subject) -> None:
    wanted = one_off(scripted.SLEEP)
    await engine.start(wanted)
    env = {**BASE_ENV, "ONLY": "inside"}
    shown = await engine.run_inside(wanted.id, scripted.SHOW_ENV, env, tty=False, columns=80, lines=24)
    assert b"ONLY=inside\n" in await read_until(shown)
    await shown.close()
    echo = await engine.run_inside(wanted.id, scripted.ECHO, env, tty=False, columns=80, lines=24)
    await echo.write(b"you\n")
    await echo.write_eof()
    assert await read_until(echo) == b"early\ngot you\n"
    assert await asyncio.wait_for(echo.exit_status(), DEADLINE_S) == 7
    await echo.close()
    assert (await seen(engine, wanted.id, lambda _: True)).is_running


async def test_nothing_runs_inside_a_dyno_that_has_ended(engine: Subject) -> None:
    wanted = one_off(scripted.EXIT_3)
    await engine.start(wanted)
    await ended(engine, wanted.id)
    for dyno_id in (wanted.id, uuid4()):
        with pytest.raises(NotFound):
            await engine.run_inside(dyno_id, scripted.SHOW_ENV, {}, tty=False, columns=80, lines=24)


async def test_many_dynos_start_at_once_each_with_its_own_address(engine: Subject) -> None:
    wanted = [order(scripted.SERVE, name=f"web.{number}") for number in range(1, 13)]
    await asyncio.gather(*(engine.start(one) for one in wanted))
    up = await asyncio.gather(*(seen(engine, one.id, lambda dyno: dyno.is_listening) for one in wanted))
    assert {dyno.name for dyno in up} == {one.name for one in wanted}
    await asyncio.gather(*(engine.remove(one.id) for one in wanted))
    assert not {one.id for one in wanted} & {dyno.id for dyno in await engine.dynos()}


async def test_a_stack_that_cannot_be_taken_is_refused(engine: Subject) -> None:
    with pytest.raises(Invalid):
        await engine.import_stack("host", "/nonexistent")
