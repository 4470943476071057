"""The operator's own database moves: dynos are led to where its name says it is."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from senryu.agent import firewall, given_database
from senryu.agent.firewall import Database
from senryu.agent.given_database import addresses_in, database_in, follow, looked_up, remembered
from senryu.agent.lot import Lot

DB = Database("db.example.com", 6432)


def test_a_place_is_a_host_and_a_port() -> None:
    assert database_in("db.example.com:6432") == DB
    assert database_in("10.0.0.7:5432") == Database("10.0.0.7", 5432)
    assert [database_in(wrong) for wrong in ("", "db", "db:", ":5432", "db:0", "db:65536", "db:x")] == [None] * 7


def test_addresses_are_read_once_each_and_nothing_else_is() -> None:
    answer = "10.0.0.8 STREAM db\n10.0.0.8 DGRAM\n10.0.0.7 STREAM\n\nfd00::1 STREAM\n1.2.3.4;drop x\n"
    assert addresses_in(answer) == ("10.0.0.7", "10.0.0.8")
    assert looked_up("10.0.0.7") == ("10.0.0.7",) and looked_up("localhost") == ("127.0.0.1",)
    assert looked_up("nobody-knows-this.invalid") == () == looked_up("--help")


def test_the_firewall_has_the_addresses_of_now_only() -> None:
    text = firewall.leading_to_database(Lot(3), DB, ("10.0.0.7", "10.0.0.8"))
    table = Lot(3).table
    assert text == f"flush set inet {table} databases\nadd element inet {table} databases {{ 10.0.0.7 . 6432, 10.0.0.8 . 6432 }}\n"
    assert firewall.leading_to_database(Lot(3), DB, ()) == f"flush set inet {table} databases\n"


class Names:
    """A name service with answers in order, the last of them for good; and where dynos were led."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers, self.asked, self.led = list(answers), 0, list[tuple[str, ...]]()

    def look(self, host: str) -> Sequence[str]:
        assert host == DB.host
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lead(self, lot: Lot, database: Database, addresses: Sequence[str]) -> None:
        self.led.append(tuple(addresses))


async def _followed(names: Names, directory: Path, looks: int) -> None:
    following = asyncio.create_task(follow(Lot(3), directory, DB, names.look, names.lead))
    async with asyncio.timeout(20):
        while names.asked < looks:
            await asyncio.sleep(0.005)
    following.cancel()
    await asyncio.wait({following})


async def test_another_address_is_followed_and_the_last_one_known_is_kept_while_nobody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(given_database, "LOOK_S", 0.01)
    away = subprocess.TimeoutExpired("getent", 5)
    names = Names(("10.0.0.7",), ("10.0.0.7",), (), away, OSError("no program"), ("10.0.0.8", "10.0.0.9"), ())
    await _followed(names, tmp_path, 10)
    assert names.led == [("10.0.0.7",), ("10.0.0.8", "10.0.0.9")]
    said = capsys.readouterr().err
    assert said.count("dynos are led to where it was (10.0.0.7)") == 3 and said.count("(10.0.0.8, 10.0.0.9)") == 1
    # The next agent begins with that, before anybody answers.
    assert remembered(tmp_path, DB) == ("10.0.0.8", "10.0.0.9")
    assert remembered(tmp_path, Database("other.example.com", 6432)) == () == remembered(tmp_path / "none", DB)
    later = Names((), ("10.0.0.8", "10.0.0.9"), ("10.0.0.7",))
    await _followed(later, tmp_path, 4)
    assert later.led == [("10.0.0.7",)]
