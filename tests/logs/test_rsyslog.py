"""Drains into Debian's real rsyslog, run as a process of its own: plain, over TLS, stopped, away, and with another's certificate."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from senryu.core.log_line import LogLine
from senryu.logs.history import FileLogs

from .receivers import AT, authority, eventually
from .test_drains import Rig, lost

PROGRAM = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")
pytestmark = [pytest.mark.system, pytest.mark.skipif(PROGRAM is None, reason="needs rsyslog (apt-get install rsyslog rsyslog-openssl)")]

CONFIG = """
global(workDirectory="{home}" maxMessageSize="16k" {files})
module(load="imtcp" {driver})
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="fields" type="string" string="%HOSTNAME%|%APP-NAME%|%PROCID%|%PRI%|%STRUCTURED-DATA%|%msg%\\n")
action(type="omfile" file="{home}/received" template="fields" flushOnTXEnd="on")
"""


class Rsyslog:
    """rsyslogd with a private configuration; what it took is in a file."""

    def __init__(self, home: Path, certificate: Path | None = None, ca: Path | None = None) -> None:
        self.home = home
        home.mkdir()
        self.port = _free_port()
        driver = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"' if certificate else ""
        parts = {"CAFile": ca, "CertFile": certificate, "KeyFile": certificate} if certificate else {}
        files = " ".join(f'defaultNetstreamDriver{name}="{path}"' for name, path in parts.items())
        (home / "rsyslog.conf").write_text(CONFIG.format(home=home, port=self.port, driver=driver, files=files))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PROGRAM is not None
        command = [PROGRAM, "-n", "-f", str(self.home / "rsyslog.conf"), "-i", str(self.home / "pid")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def rows(self) -> list[list[str]]:
        """host, app-name, procid, pri, structured data, message."""
        file = self.home / "received"
        return [row.split("|", 5) for row in file.read_text().splitlines()] if file.exists() else []

    @property
    def said(self) -> list[str]:
        return [row[5].strip() for row in self.rows]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    receiver = Rsyslog(tmp_path / "rsyslog")
    try:
        yield receiver
    finally:
        receiver.stop()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with FileLogs(tmp_path / "logs") as logs:
        yield Rig(logs, tmp_path / "drains")


async def test_rsyslog_reads_every_message_and_field(rig: Rig, rsyslog: Rsyslog) -> None:
    app = uuid4()
    rsyslog.start()
    await eventually(rsyslog.is_listening)
    async with rig.running():
        drain = rig.add(f"syslog://127.0.0.1:{rsyslog.port}", app)
        await rig.logs.write(app, [LogLine(AT, "heroku", "router", "at=info"), LogLine(AT, "app", "web.1", "Grüße [1] 17 <13>1 x")])
        said = await rig.say(app, 1, 2000 // 4)
        await rig.logs.write(app, [LogLine(AT, "app", "web.1", "y" * 9000)])
        await eventually(lambda: len(rsyslog.said) == 503, "503 messages")
    assert rsyslog.rows[0][:5] == [drain.token, "heroku", "router", "158", "-"]
    assert rsyslog.rows[1] == [drain.token, "app", "web.1", "190", "-", rsyslog.rows[1][5]]
    assert rsyslog.said[1] == "Grüße [1] 17 <13>1 x"
    assert rsyslog.said[2:-1] == said
    assert rsyslog.said[-1] == "y" * 9000


async def test_rsyslog_takes_over_tls_what_waited_until_it_came(rig: Rig, tmp_path: Path) -> None:
    rig.authority = authority(tmp_path / "ca")
    rsyslog = Rsyslog(tmp_path / "rsyslog", rig.authority.issue("logs.example.com"), tmp_path / "ca" / "ca.pem")
    app = uuid4()
    try:
        async with rig.running():
            rig.add(f"syslog+tls://logs.example.com:{rsyslog.port}", app)
            said = await rig.say(app, 1, 300)
            await eventually(lambda: len(rig.clock.slept) > 2, "tries")
            rsyslog.start()
            await eventually(lambda: rsyslog.said == said, "all of them")
        assert await rig.log_of(app) == []
    finally:
        rsyslog.stop()


async def test_rsyslog_with_anothers_certificate_gets_nothing(rig: Rig, tmp_path: Path) -> None:
    rig.authority = authority(tmp_path / "ca")
    rsyslog = Rsyslog(tmp_path / "rsyslog", rig.authority.issue("evil.example.com"), tmp_path / "ca" / "ca.pem")
    app = uuid4()
    try:
        rsyslog.start()
        await eventually(rsyslog.is_listening)
        async with rig.running():
            rig.add(f"syslog+tls://logs.example.com:{rsyslog.port}", app)
            await rig.say(app, 1, 3)
            told: list[str] = []
            for _ in range(1000):
                told = await rig.log_of(app)
                if told:
                    break
                await asyncio.sleep(0.01)
        assert told[0].startswith("Error L14 (certificate validation): error=\"Hostname mismatch")
        assert rsyslog.said == []
    finally:
        rsyslog.stop()


async def test_rsyslog_that_stands_still_costs_only_what_is_counted(rig: Rig, rsyslog: Rsyslog) -> None:
    app, other = uuid4(), uuid4()
    rsyslog.start()
    await eventually(rsyslog.is_listening)
    good = Rsyslog(rsyslog.home.parent / "good")
    try:
        good.start()
        await eventually(good.is_listening)
        async with rig.running():
            rig.add(f"syslog://127.0.0.1:{rsyslog.port}", app)
            rig.add(f"syslog://127.0.0.1:{good.port}", other)
            await rig.say(app, 1, 1)
            await eventually(lambda: rsyslog.said == ["line 1"])
            rsyslog.signal(signal.SIGSTOP)
            for number in range(40):
                await rig.logs.write(app, [LogLine(AT, "app", "web.1", "x" * 5000) for _ in range(100)])
                await rig.say(other, number, number)
                await asyncio.sleep(0.02)
            await eventually(lambda: len(good.said) == 40, "the other app's lines")
            for _ in range(1000):
                if lost(await rig.log_of(app)):
                    break
                await asyncio.sleep(0.01)
            rsyslog.signal(signal.SIGCONT)
            await rig.say(app, 2, 2)
            await eventually(lambda: bool(rsyslog.said) and rsyslog.said[-1] == "line 2", "the newest line")
        assert lost(rsyslog.said) > 0
    finally:
        good.stop()
