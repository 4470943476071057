"""What starts HAProxy in place of its own master: on the real programs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from senryu.core.errors import Unavailable
from senryu.routers.haproxy import files
from senryu.routers.haproxy import router as driver
from senryu.routers.haproxy.config import config_text
from senryu.routers.haproxy.runtime import reload

from .conftest import Dynos
from .rig import PATIENT, STARTER, Behaviour, Rig, answer, route, running_haproxy, until, written
from .test_restart import Started, visitors

pytestmark = pytest.mark.system


class Endless:
    """A dyno whose answers go on until they are released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.release.is_set():
            writer.write(b"a")
            await asyncio.sleep(0.1)
        writer.write(b"z")


def _starters(rig: Rig) -> list[int]:
    """The processes that run the script for this home: it, and who watches each HAProxy."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if STARTER.encode() in words and str(rig.settings.home).encode() in words:
            found.append(int(process.name))
    return found


async def _nothing_more(rig: Rig) -> bool:
    """Below the starter is who watches the newest HAProxy, and nobody else."""
    assert rig.process is not None
    children = Path(f"/proc/{rig.process.pid}/task/{rig.process.pid}/children").read_text().split()
    with contextlib.suppress(OSError):  # it has ended meanwhile
        return len(children) == 1 and os.readlink(f"/proc/{children[0]}/fd/0") == str(rig.settings.reload_pipe)
    return False


async def _is_settled(rig: Rig) -> bool:
    """Nobody of an earlier starter listens too."""
    return await _nothing_more(rig) and len(_starters(rig)) == 2


async def _one_is_left(rig: Rig, before: list[int]) -> bool:
    there = rig.haproxy_ids()
    return len(there) == 1 and there[0] not in before


async def _takes_over(rig: Rig, before: list[int]) -> bool:
    """Another one serves: it answers at the socket that it took."""
    return bool(set(rig.haproxy_ids()) - set(before)) and "Proxy outside stopped" in rig.settings.log.read_text(errors="replace")


def _paths_in(log: Path) -> list[str]:
    """The path of each request that the log tells of; every line of it is whole."""
    raw = [line.lstrip(b"\0") for line in log.read_bytes().split(b"\n")]
    paths = [str(json.loads(line)[3]) for line in raw if line.startswith(b"[1")]
    return [path for path in paths if path != "-"]  # a look whether it is up


@asynccontextmanager
async def _long_visit(started: Started, dynos: Dynos, behaviour: Behaviour, path: str) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    rig, router = started
    await router.apply(app := route(dyno := await dynos(behaviour)))
    visit = asyncio.create_task(rig.get(app.hosts[0], path))

    async def has_begun() -> bool:
        return bool(dyno.heads)

    await until(has_begun)
    await written(rig, router)
    try:
        yield visit
    finally:
        visit.cancel()


@pytest.mark.parametrize("is_killed", [False, True])
async def test_lines_of_the_old_haproxy_and_of_the_new_one_do_not_write_over_one_another(
    patient: Started, dynos: Dynos, is_killed: bool
) -> None:
    """Asked to, the starter has them share an open file; killed, it cannot."""
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    endless = Endless()
    async with _long_visit(patient, dynos, endless, "/long") as visit:
        for number in range(20):
            await rig.get(app.hosts[0], f"/before/{number}")
        before = rig.haproxy_ids()
        if is_killed:
            rig.kill_starter()
            assert (await rig.get(app.hosts[0], "/left")).status_code == 200
            await rig.start()
            await until(lambda: _nothing_more(rig))
        rig.reload()
        await until(lambda: _takes_over(rig, before))
        for number in range(20):
            await rig.get(app.hosts[0], f"/after/{number}")
        endless.release.set()
        assert (await visit).text.endswith("az")
    await until(lambda: _one_is_left(rig, before))
    wanted = [f"/{when}/{number}" for when in ("before", "after") for number in range(20)] + ["/long"] + ["/left"] * is_killed
    assert sorted(_paths_in(rig.settings.log)) == sorted(wanted)
    seen = set()
    async with asyncio.timeout(10):
        async for batch in router.requests(0):
            seen |= {line.path for line in batch}
            if "/after/19" in seen:
                break
    assert {f"/after/{number}" for number in range(20)} <= seen


async def test_a_killed_starter_leaves_haproxy_serving_and_the_next_watches_it(patient: Started, dynos: Dynos) -> None:
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    await written(rig, router)
    async with visitors(rig, app) as seen:
        before = rig.haproxy_ids()
        for _ in range(3):
            rig.kill_starter()
            await router.apply(more := route(await dynos(answer())))
            assert (await rig.get(more.hosts[0])).status_code == 200
            await rig.start()
            await until(lambda: _is_settled(rig))
            assert rig.haproxy_ids() == before
        await written(rig, router)
        await reload(rig.settings.reload_pipe, rig.settings.master_socket)
        await until(lambda: _one_is_left(rig, before))
        rig.kill_starter()
        await rig.start()
        await until(lambda: _nothing_more(rig))
    assert set(seen) == {"200"}, seen
    before = rig.haproxy_ids()
    os.kill(before[0], signal.SIGKILL)
    await until(lambda: _one_is_left(rig, before))


async def test_what_is_changed_while_there_is_no_starter_stays_changed(patient: Started, dynos: Dynos) -> None:
    """Nor is it when the files that another HAProxy would start from have not heard of it."""
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    await written(rig, router)
    earlier = {file: file.read_bytes() for file in rig.settings.folder.glob("*.*") if file != rig.settings.log}
    await router.apply(another := replace(app, targets=((await dynos(answer(b"another"))).target(),)))
    await written(rig, router)
    for file, content in earlier.items():  # as it is for a moment after each change
        file.write_bytes(content)
    rig.kill_starter()
    await rig.start()
    await until(lambda: _nothing_more(rig))
    await asyncio.sleep(0.5)
    assert await router.routes() == [another]
    assert (await rig.get(app.hosts[0])).text == "another"


async def test_a_starter_killed_while_it_replaces_haproxy_is_followed_by_one_that_does(patient: Started, dynos: Dynos) -> None:
    """Which of the two there are is the newest, the next one cannot know."""
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    await written(rig, router)
    async with visitors(rig, app) as seen:
        before = rig.haproxy_ids()
        rig.kill_starter()
        os.mkfifo(f"{rig.settings.reload_pipe}.new")
        await rig.start()
        await until(lambda: _one_is_left(rig, before))
        await until(lambda: _nothing_more(rig))
    assert set(seen) == {"200"}, seen


async def test_haproxy_killed_is_started_again_at_once_by_the_same_starter(patient: Started, dynos: Dynos) -> None:
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    await asyncio.sleep(2.1)  # one that ends right after its start is the supervisor's
    endless = Endless()
    async with _long_visit(patient, dynos, endless, "/") as visit:
        [old] = rig.haproxy_ids()
        rig.reload()
        await until(lambda: _takes_over(rig, [old]))
        await asyncio.sleep(2.1)
        [newest] = set(rig.haproxy_ids()) - {old}
        os.kill(newest, signal.SIGKILL)

        async def is_back() -> bool:
            try:
                return (await rig.get(app.hosts[0])).status_code == 200
            except httpx.HTTPError:
                return False

        await until(is_back)
        assert rig.process is not None and rig.process.poll() is None
        endless.release.set()
        assert (await visit).text.endswith("az")  # another's death is none of its business
    await until(lambda: _one_is_left(rig, [old, newest]))
    await until(lambda: _nothing_more(rig))


async def test_a_haproxy_that_dies_as_soon_as_it_serves_is_left_to_the_supervisor(patient: Started) -> None:
    rig, _ = patient
    rig.stop()
    await rig.start()
    os.kill(rig.haproxy_ids()[0], signal.SIGKILL)
    assert rig.process is not None
    process = rig.process

    async def has_ended() -> bool:
        return process.poll() is not None

    await until(has_ended)
    assert process.returncode == 1 and not _starters(rig)


async def test_a_configuration_that_haproxy_refuses_leaves_the_running_one_serving(
    patient: Started, dynos: Dynos, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, router = patient
    apps = [route(await dynos(answer())) for _ in range(5)]  # one more than it has room for
    for app in apps[:4]:
        await router.apply(app)
    before = rig.haproxy_ids()
    async with visitors(rig, apps[0]) as seen:
        with monkeypatch.context() as patched:
            patched.setattr(driver, "_RELOAD_TIMEOUT_S", 2.0)
            patched.setattr(files, "config_text", lambda *given: config_text(*given) + "\nnonsense\n")
            with pytest.raises(Unavailable, match="did not start anew"):
                await router.apply(apps[4])
        assert rig.haproxy_ids() == before
        assert "the running one goes on" in rig.stderr.read_text() and "nonsense" in rig.stderr.read_text()
        await router.apply(apps[4])
        assert (await rig.get(apps[4].hosts[0])).status_code == 200
    assert set(seen) == {"200"}, seen


async def test_many_reloads_while_visits_go_on_leave_one_haproxy_when_the_others_time_is_over(dynos: Dynos) -> None:
    async with running_haproxy(forced_close_s=4.0, **PATIENT) as (rig, router):
        await router.apply(app := route(await dynos(Endless())))
        await written(rig, router)
        visits = []
        async with visitors(rig, other := route(await dynos(answer()))) as seen:
            await router.apply(other)
            await written(rig, router)
            seen.clear()
            for _ in range(4):
                visits.append(asyncio.create_task(rig.get(app.hosts[0])))
                await asyncio.sleep(0.2)
                before = rig.haproxy_ids()
                await reload(rig.settings.reload_pipe, rig.settings.master_socket)

                async def is_another(before: list[int] = before) -> bool:
                    return not set(rig.haproxy_ids()) <= set(before)

                await until(is_another)
            for _ in range(10):  # more than it can carry out one by one
                await reload(rig.settings.reload_pipe, rig.settings.master_socket)
            before = rig.haproxy_ids()
            assert len(before) > 2
            await until(lambda: _one_is_left(rig, before))
        assert set(seen) == {"200"}, seen
        await until(lambda: _nothing_more(rig))
        for ended in await asyncio.gather(*visits, return_exceptions=True):
            assert isinstance(ended, BaseException) or not ended.text.endswith("z"), ended


async def test_told_to_end_it_leaves_no_haproxy_of_its_home(patient: Started, dynos: Dynos) -> None:
    """Not those that end in their own time, nor one that has just been started, nor what another starter left."""
    rig, _ = patient
    async with running_haproxy() as (other, _), _long_visit(patient, dynos, Endless(), "/"):
        before = rig.haproxy_ids()
        rig.reload()
        await until(lambda: _takes_over(rig, before))
        rig.kill_starter()
        await rig.start()
        await until(lambda: _nothing_more(rig))
        await reload(rig.settings.reload_pipe, rig.settings.master_socket)
        assert rig.process is not None
        process = rig.process
        rig.stop()
        assert process.returncode == 0
        assert not rig.haproxy_ids() and not _starters(rig)
        assert len(other.haproxy_ids()) == 1


async def test_a_router_with_a_master_of_an_earlier_version_is_reloaded_and_then_taken_over_from(dynos: Dynos) -> None:
    async with running_haproxy(**PATIENT) as (rig, router):
        rig.stop()
        rig.settings.reload_pipe.unlink(missing_ok=True)
        master = rig.settings.master_socket
        await rig.start(("haproxy", "-W", "-db", "-S", f"{master},mode,660", "-f", str(rig.settings.config)))
        apps = [route(await dynos(answer())) for _ in range(5)]  # one more than it has room for
        for app in apps:
            await router.apply(app)
        assert (await rig.get(apps[4].hosts[0])).status_code == 200
        await written(rig, router)
        earlier, before = rig.process, rig.haproxy_ids()
        async with visitors(rig, apps[4]) as seen:
            await rig.start()
            await until(lambda: _one_is_left(rig, before))
        assert set(seen) == {"200"}, seen
        assert earlier is not None and earlier.wait(10) == 0
        assert not master.exists()


async def test_nobody_there_to_start_haproxy_anew_is_said_at_once(patient: Started) -> None:
    rig, _ = patient
    rig.stop()
    pipe = rig.settings.reload_pipe
    with pytest.raises(Unavailable):
        await reload(pipe, rig.settings.master_socket)
    pipe.unlink(missing_ok=True)
    pipe.write_text("")
    with pytest.raises(Unavailable):
        await reload(pipe, rig.settings.master_socket)
    assert not pipe.read_text()


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/proc/self/autogroup").exists(), reason="needs root and a kernel with autogroups")
async def test_haproxy_comes_before_others_as_its_starter_does(patient: Started) -> None:
    """Its session is its own: the niceness of the process alone would be among that session's processes, which it has none of."""
    rig, _ = patient
    rig.stop()
    await rig.start(("nice", "-n", "-5", "/bin/sh", STARTER, str(rig.settings.home)))
    first = rig.haproxy_ids()

    async def is_first(others: list[int]) -> bool:
        there = set(rig.haproxy_ids()) - set(others)
        return len(there) == 1 and Path(f"/proc/{there.pop()}/autogroup").read_text().endswith(" nice -5\n")

    await until(lambda: is_first([]))
    rig.reload()
    await until(lambda: is_first(first))
