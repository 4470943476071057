"""What a dyno may use, and what happens when it wants more. Source: reliability catalogue, groups C and D."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest

from senryu.agent.output_files import FILES_KEPT
from senryu.agent.shim import OUTPUT_MAX_BYTES
from senryu.core.dyno import BASE_ENV, Output
from senryu.core.errors import Invalid
from senryu.core.limits import LOG_LINE_MAX_BYTES, MIB
from senryu.engines.container import ContainerEngine

from .rig import DEADLINE_S, Agent, ended, lines_of, one_off, order, read_until, result, seen

pytestmark = pytest.mark.system


async def test_a_dyno_over_twice_its_memory_is_killed_whole(engine: ContainerEngine) -> None:
    bomb = one_off("sleep 1000 & python3 -c 'x = bytearray(10**9)'; sleep 1000", memory_bytes=32 * MIB)
    await engine.start(bomb)
    dyno = await ended(engine, bomb.id)
    assert (dyno.is_out_of_memory, dyno.exit_status) == (True, 137)


async def test_memory_over_the_quota_but_under_twice_is_reported_and_allowed(engine: ContainerEngine) -> None:
    wanted = one_off(
        "exec python3 -c 'x = b\"x\" * (45 << 20); print(1, flush=True); import time; time.sleep(1000)'", memory_bytes=32 * MIB
    )
    await engine.start(wanted)
    dyno = await seen(engine, wanted.id, lambda dyno: dyno.memory_bytes > 45 * MIB)
    assert dyno.is_running


async def test_a_fork_bomb_stops_at_the_limit_and_can_be_ended(engine: ContainerEngine) -> None:
    bomb = one_off("bomb() { bomb | bomb & }; bomb; sleep 1000", pids=40)
    await engine.start(bomb)
    await asyncio.sleep(0.5)
    await engine.signal(bomb.id, "KILL")
    assert (await ended(engine, bomb.id)).exit_status == 137


async def test_what_writes_dynos_output_uses_up_none_of_the_dynos_share_of_the_processor(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("sleep 1000")
    await engine.start(wanted)
    pid = json.loads((agent.home / "agent" / "dynos" / str(wanted.id) / "record.json").read_text())["shim_pid"]
    group = f"/senryu-{(agent.home / 'agent' / 'lot').read_text()}-shims"
    async with asyncio.timeout(DEADLINE_S):
        while not re.search(rf":(cpu[^:]*)?:{group}$", Path(f"/proc/{pid}/cgroup").read_text(), re.MULTILINE):
            await asyncio.sleep(0.02)


async def test_who_floods_its_output_waits_and_loses_nothing_and_holds_nobody_else_up(agent: Agent, engine: ContainerEngine) -> None:
    flood, other = one_off("yes $(head -c 99 /dev/zero | tr '\\0' a) | head -n 150000"), one_off("yes | head -n 2000; sleep 1000")
    await engine.start(flood)
    await engine.start(other)
    group = f"senryu-{(agent.home / 'agent' / 'lot').read_text()}-shims/cpu.stat"
    counts = next(path for path in (Path("/sys/fs/cgroup/cpu", group), Path("/sys/fs/cgroup", group)) if path.exists())
    said: list[Output] = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in engine.output(other.id, -1):
            said += batch
            if len(said) == 2000:
                break
        lines = await lines_of(engine, flood.id)
    assert (len(lines), set(lines)) == (150_000, {"a" * 99})
    assert int(re.findall(r"nr_throttled (\d+)", counts.read_text())[0]) > 0


async def test_a_full_disk_fills_only_its_own_dyno(engine: ContainerEngine) -> None:
    script = "head -c 1G /dev/zero > /app/full; echo $?; truncate -s 1T /tmp/sparse; echo $?; head -c 1G /dev/zero > /dev/shm/full; echo $?"
    lines, dyno = await result(engine, script, disk_bytes=32 * MIB, memory_bytes=128 * MIB)
    statuses = [line for line in lines if line.isdigit()]
    assert statuses == ["1", "0", "1"] or statuses == ["1", "1", "1"]
    assert dyno.exit_status == 0
    assert (await result(engine, "echo fine > /app/x && cat /app/x"))[0] == ["fine"]


async def test_many_small_files_run_out_of_inodes_only_in_their_dyno(engine: ContainerEngine) -> None:
    lines, _ = await result(
        engine, "cd /tmp; for i in $(seq 20000); do : > f$i || break; done 2>/dev/null; ls | wc -l", disk_bytes=16 * MIB
    )
    assert 500 < int(lines[-1]) < 20_000


# Takes all it can of what the kernel counts for each process or user; prints where it ended. The dyno that follows finds all of it.
_GREEDY = """
import ctypes, errno, os, resource
libc = ctypes.CDLL(None, use_errno=True)
def most(what, take, limit):
    count = 0
    while count < limit and take() != -1: count += 1
    print(what, count < limit and errno.errorcode[ctypes.get_errno()], count > 10, flush=True)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
most("inotify", libc.inotify_init, 10_000)
most("pipes", lambda: libc.pipe(ctypes.create_string_buffer(8)), 1_000_000)
for file in range(3, hard): 
    try: os.close(file)
    except OSError: pass
most("files", lambda: libc.open(b"/dev/null", 0), 1_000_000)
timer = ctypes.c_void_p()
most("timers", lambda: libc.timer_create(1, None, ctypes.byref(timer)), 1_000_000)
"""


async def test_what_the_kernel_counts_for_each_user_runs_out_for_one_dyno_alone(engine: ContainerEngine) -> None:
    greedy = one_off(shlex.join(("python3", "-c", _GREEDY + "import time; time.sleep(60)")))
    await engine.start(greedy)
    said: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in engine.output(greedy.id, -1):
            said += [line.text.decode() for line in batch]
            if len(said) == 4:
                break
    assert said == ["inotify EMFILE True", "pipes EMFILE True", "files EMFILE True", "timers EAGAIN True"]
    small = "import ctypes; libc = ctypes.CDLL(None); print(libc.inotify_init() > 0, libc.pipe(ctypes.create_string_buffer(8)))"
    assert (await result(engine, shlex.join(("python3", "-c", small))))[0] == ["True 0"]


async def test_a_command_or_an_environment_that_the_kernel_cannot_take_is_refused_in_words(engine: ContainerEngine) -> None:
    some = {f"SOME_{number}": "x" * 100_000 for number in range(11)}
    for changes in ({"command": "x" * 131_072}, {"env": {"LARGE": "x" * 131_072}}, {"env": some}):
        with pytest.raises(Invalid, match=r"command|env"):
            await engine.start(one_off(**{"command": "true", **changes}))  # type: ignore[arg-type]
    assert (await result(engine, "echo fine"))[0] == ["fine"]


async def test_orphans_are_reaped(engine: ContainerEngine) -> None:
    script = "for i in $(seq 200); do (true &) ; done; sleep 0.5; ps -eo stat | grep -c Z"
    assert (await result(engine, script))[0] == ["0"]


async def test_term_reaches_every_process_also_in_other_sessions(engine: ContainerEngine) -> None:
    child = "trap 'echo told >> /app/told; exit' TERM; echo ready; while :; do sleep 0.05; done"
    script = f"setsid bash -c \"{child}\" & ( ( {child} ) & ); trap 'sleep 1; cat /app/told; exit' TERM; while :; do sleep 0.05; done"
    wanted = one_off(script)
    await engine.start(wanted)
    ready = 0
    async with asyncio.timeout(DEADLINE_S):
        async for batch in engine.output(wanted.id, -1):
            ready += sum(line.text == b"ready" for line in batch)
            if ready == 2:
                break
    await engine.signal(wanted.id, "TERM")
    assert (await lines_of(engine, wanted.id)).count("told") == 2


async def test_core_dumps_are_not_written(engine: ContainerEngine) -> None:
    lines, _ = await result(engine, "exec 2>/dev/null; bash -c 'kill -SEGV $$'; ls -A /app | wc -l; ulimit -c")
    assert lines == ["0", "0"]  # stdout alone: what bash says of it on stderr may be read later


async def test_a_long_line_comes_in_pieces_and_nothing_is_lost(engine: ContainerEngine) -> None:
    size = 3 * LOG_LINE_MAX_BYTES + 123
    lines, _ = await result(engine, f"head -c {size} /dev/zero | tr '\\0' x; echo; printf end")
    assert [len(line) for line in lines] == [LOG_LINE_MAX_BYTES] * 3 + [123, 3]


async def test_output_beyond_the_kept_size_goes_on_in_order_over_replaced_files(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("for n in $(seq 30); do head -c 2000000 /dev/zero | tr '\\0' a | fold -w 1999; echo; echo mark $n; sleep 0.02; done")
    await engine.start(wanted)
    lines = await lines_of(engine, wanted.id)
    marks = [line for line in lines if line.startswith("mark")]
    assert marks == [f"mark {n}" for n in range(1, 31)]
    files = [path.stat() for path in (agent.home / "agent" / "logs" / str(wanted.id)).iterdir()]
    assert sum({file.st_ino: file.st_size for file in files}.values()) <= (FILES_KEPT + 1) * OUTPUT_MAX_BYTES


@pytest.mark.parametrize(("millions", "is_whole"), [(30, True), (110, False)])
async def test_a_reader_that_was_away_finds_all_or_is_told_how_many_lines_are_gone(
    engine: ContainerEngine, millions: int, is_whole: bool
) -> None:
    count = millions * 1_000_000 // 2000
    wanted = one_off(f"yes $(head -c 1999 /dev/zero | tr '\\0' a) | head -n {count}; echo end; touch /app/done; sleep 1000")
    await engine.start(wanted)
    terminal = await engine.run_inside(wanted.id, "until [ -e /app/done ]; do sleep 0.1; done", {}, tty=False, columns=80, lines=24)
    async with asyncio.timeout(2 * DEADLINE_S):
        assert await terminal.exit_status() == 0
    found: list[Output] = []
    async with asyncio.timeout(2 * DEADLINE_S):
        async for batch in engine.output(wanted.id, -1):
            found += batch
            if any(line.text == b"end" for line in batch):
                break
    lost = sum(line.lost for line in found)
    assert (lost == 0) is is_whole
    assert abs(len(found) + lost - (count + 1)) <= 20  # exact but for files that came and went between two looks


async def test_profile_scripts_change_the_environment_before_the_command(engine: ContainerEngine) -> None:
    wanted = one_off("sleep 1000")
    await engine.start(wanted)
    script = """
        mkdir -p /app/.profile.d
        echo 'export FROM_PROFILE_D="$PORT-x"; set -- changed' > /app/.profile.d/a.sh
        echo 'declare -x FROM_PROFILE=2' > /app/.profile
    """
    # The line a dyno starts with is what its init was told to run; run it again now that the scripts are there.
    again = """exec python3 -c '
import os
arguments = open("/proc/1/cmdline").read().split("\\0")[2:-1]
os.execv(arguments[0], [*arguments[:-1], "echo $FROM_PROFILE_D $FROM_PROFILE $#"])'
    """
    terminal = await engine.run_inside(wanted.id, script + again, {**BASE_ENV, "PORT": "77"}, tty=False, columns=80, lines=24)
    assert await read_until(terminal) == b"77-x 2 0\n"
    await terminal.close()


async def test_a_one_off_with_a_terminal_gets_control_c(engine: ContainerEngine) -> None:
    wanted = one_off("trap 'exit 130' INT; echo ready; sleep 1000 & wait", stdin=True, tty=True)
    await engine.start(wanted)
    terminal = await engine.attach(wanted.id)
    await read_until(terminal, b"ready")
    await terminal.write(b"\x03")
    assert await asyncio.wait_for(terminal.exit_status(), DEADLINE_S) == 130
    await terminal.close()


async def test_binary_input_and_output_pass_unchanged(engine: ContainerEngine) -> None:
    content = bytes(range(256)) * 40_000
    wanted = one_off("cat", stdin=True)
    await engine.start(wanted)
    terminal = await engine.attach(wanted.id)

    async def write() -> None:
        await terminal.write(content)
        await terminal.write_eof()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        received = await read_until(terminal)
    assert received == content
    await terminal.close()


async def test_hanging_up_on_a_command_ends_it_and_not_the_dyno(engine: ContainerEngine) -> None:
    wanted = order("exec python3 -m http.server $PORT")
    await engine.start(wanted)
    terminal = await engine.run_inside(wanted.id, "sleep 4242 & sleep 4242", BASE_ENV, tty=True, columns=80, lines=24)
    await terminal.close()
    until = asyncio.get_running_loop().time() + DEADLINE_S
    count = b""
    while count != b"0\n" and asyncio.get_running_loop().time() < until:
        terminal = await engine.run_inside(wanted.id, "pgrep -c -x -f 'sleep 4242'", BASE_ENV, tty=False, columns=80, lines=24)
        count = await read_until(terminal)
        await terminal.close()
    assert count == b"0\n"
    assert (await seen(engine, wanted.id, lambda _: True)).is_running
