"""Looking after data servers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from senryu.agent import data, postgres
from senryu.agent.data import Data
from senryu.agent.home import Home
from senryu.agent.lot import Lot


async def test_nothing_a_data_server_does_ends_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path, os.getuid(), os.getgid())
    (home.agent / "data").mkdir(parents=True)
    (home.agent / "data" / "postgres").touch()
    tries, runs = [], asyncio.Event()

    def run(_: postgres.Place) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        runs.set()

    monkeypatch.setattr(postgres, "run", run)
    monkeypatch.setattr(data, "_ROUND_S", 0.01)
    keeping = asyncio.create_task(Data(home, Lot(0), "nobody").look_after())
    async with asyncio.timeout(20):
        while not runs.is_set():
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert capsys.readouterr().err.count("No space left") == 1
