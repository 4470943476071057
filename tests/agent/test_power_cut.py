"""Files that a power cut left empty or full of holes. Found by `./test --vm`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from senryu.agent import lot, record
from senryu.agent.boot import forget_earlier_boots
from senryu.agent.home import Home
from senryu.agent.slugs import Slugs


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, os.getuid(), os.getgid())
    made.slugs.mkdir(parents=True)
    (made.slugs / ("a" * 64)).mkdir()
    (made.slugs / ("a" * 64) / "app.py").touch()
    (made.slugs / f"{'a' * 64}.size").touch()
    return made


def test_slugs_unpacked_before_a_power_cut_are_unpacked_again(home: Home) -> None:
    (home.agent / "slugs.boot").write_text("another boot")
    forget_earlier_boots(home.slugs)
    Slugs(home, os.getuid()).sweep(())
    assert [path.name for path in home.slugs.iterdir()] == []


def test_slugs_are_kept_when_only_the_agent_restarts(home: Home) -> None:
    (home.agent / "slugs.boot").write_text(record.boot_id())
    forget_earlier_boots(home.slugs)
    Slugs(home, os.getuid())
    assert (home.slugs / ("a" * 64) / "app.py").exists()


def test_a_lot_whose_number_is_lost_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot, "CLAIMS", tmp_path / "claims")
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "lot").touch()
    assert lot.recorded(tmp_path / "agent") is None
    drawn, is_new = lot.claim(tmp_path / "agent", tmp_path)
    assert is_new, "what the former user ids own has to be forgotten"
    assert lot.recorded(tmp_path / "agent") == drawn
