"""Each gate of `./test --fast` is seeded with a violation, to prove that it can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The checkout's code and gate settings, to be spoilt."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def spoil(copy: Path, file: str, line: str) -> None:
    path = copy / "src" / "senryu" / file
    path.write_text(path.read_text() + f"\n{line}\n")


def gate(copy: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=240,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy / "src"), "HOME": str(copy)},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/app.py", "import asyncio", "Core knows nobody"),
        ("core/app.py", "from senryu.store import database", "Stairs go down only"),
        ("store/apps.py", "from senryu.logs import history", "Provider rooms know core only and not one another"),
        ("actions/tell.py", "from senryu.routers import memory", "Doors and actions know rooms by contract only"),
        ("actions/tell.py", "from senryu.platform import Platform", "Stairs go down only"),
        ("cli/ps.py", "from senryu.store import database", "The command line speaks HTTP only"),
    ],
)
def test_the_import_gate_fails_on_a_seeded_violation(copy: Path, file: str, line: str, contract: str) -> None:
    spoil(copy, file, line)
    status, said = gate(copy, "lint-imports", "--no-cache")
    assert status != 0
    assert f"{contract} BROKEN" in said


def test_the_import_gate_passes_as_it_is(copy: Path) -> None:
    status, said = gate(copy, "lint-imports", "--no-cache")
    assert status == 0, said


def test_the_type_gate_fails_on_a_seeded_violation(copy: Path) -> None:
    spoil(copy, "core/names.py", "wrong: int = two_words(1)")
    status, said = gate(copy, "mypy", "--no-error-summary", "src/senryu/core/names.py")
    assert status != 0
    assert "Incompatible types in assignment" in said


def test_the_style_gate_fails_on_a_seeded_violation(copy: Path) -> None:
    spoil(copy, "core/names.py", "import os")
    status, said = gate(copy, "ruff", "check", "src")
    assert status != 0
    assert "F401" in said
