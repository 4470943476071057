"""The manual's tables say what the code says."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib import import_module

import pytest

from senryu.cli.arguments import parse
from senryu.cli.commands import COMMANDS, find
from senryu.core import codes

from .tables import PAGES, ROOT, commands, written

_ROW = re.compile(r"^\| `([a-z0-9:-]+)` \| (.+) \| `senryu (.+)` \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return _ROW.findall((ROOT / "docs/cli.md").read_text())


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_table_is_as_the_code_has_it(page: str) -> None:
    assert (ROOT / page).read_text() == written(page), "write it anew: python tests/docs/tables.py"


def test_the_manual_has_every_command_once_with_the_line_of_its_help() -> None:
    assert [(name, meaning) for name, meaning, _ in rows()] == list(commands().items())


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, _, example in rows()])
def test_an_example_of_the_manual_is_accepted_by_its_command(name: str, example: str) -> None:
    first, *words = shlex.split(example)
    assert find(first) == name
    command = import_module(f"senryu.cli.{COMMANDS[name][0]}").TOPIC[name]
    parse(name, command, words)


def known_codes() -> set[str]:
    runtime = {name for name in vars(codes) if re.fullmatch(r"R\d\d", name)}
    tellers = (ROOT / f"src/senryu/core/{name}.py" for name in ("log_line", "log_drain"))
    logged = {code for teller in tellers for code in re.findall(r"Error (L\d\d)", teller.read_text())}
    return {*codes.H_CODES, *runtime, *logged}


def test_every_error_code_has_a_cause_and_a_next_step() -> None:
    page = (ROOT / "docs/limits-and-codes.md").read_text()
    table = re.findall(r"^\| ([HRL]\d\d) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    described = {code: (cause.strip(), step.strip()) for code, cause, step in table}
    assert set(described) == known_codes()
    assert all(cause and step for cause, step in described.values())


def test_every_dependency_has_a_reason_in_its_decision_record() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[\[<>=! ]", each)[0] for each in wanted]
    reasons = re.findall(r"^\| `([a-z0-9-]+)` \| .+ \| .+ \|$", (ROOT / "decisions/0008-libraries.md").read_text(), re.MULTILINE)
    assert sorted(reasons) == sorted(names)
