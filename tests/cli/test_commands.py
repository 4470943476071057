from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

from senryu.cli.commands import ALIASES, COMMANDS, HIDDEN

from .conftest import CHECKOUT, Senryu


def test_every_command_of_the_table_is_in_its_module_and_the_other_way_round() -> None:
    listed = {(name, module) for name, (module, _) in COMMANDS.items()}
    modules = {module for _, module in listed}
    assert {(name, module) for module in modules for name in import_module(f"senryu.cli.{module}").TOPIC} == listed


def test_every_alias_leads_to_a_command() -> None:
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, *ALIASES])
def test_every_command_has_help(name: str, senryu: Senryu) -> None:
    result = senryu(name, "--help")
    assert (result.status, result.err) == (0, "")
    assert f"$ senryu {ALIASES.get(name, name)}" in result.out


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_every_command(words: list[str], senryu: Senryu) -> None:
    result = senryu(*words)
    assert result.status == 0
    assert all(name in result.out for name in COMMANDS if name not in HIDDEN)


def test_help_of_a_topic_lists_its_commands(senryu: Senryu) -> None:
    assert "git:remote" in senryu("help", "git").out
    assert "git:credentials" not in senryu("help", "git").out


@pytest.mark.parametrize(("typed", "meant"), [("confgi:set", "config:set"), ("lgos", "logs"), ("ps:scal", "ps:scale"), ("crate", "create")])
def test_an_unknown_command_gets_the_nearest_as_hint(typed: str, meant: str, senryu: Senryu) -> None:
    result = senryu(typed)
    assert result.status == 1
    assert result.err.splitlines()[0] == f"error: `{typed}` is not a senryu command"
    assert f"Did you mean `senryu {meant}`?" in result.err


def test_a_command_with_a_blank_for_a_colon_is_understood_as_a_slip(senryu: Senryu) -> None:
    assert "Did you mean `senryu config:set`?" in senryu("config", "set", "A=1").err


def test_version_names_program_and_platform(senryu: Senryu) -> None:
    assert senryu("--version").out == senryu("version").out
    assert senryu("version").out.startswith("senryu/")


def test_the_launcher_runs_from_anywhere_and_keeps_the_environment_clean(home: os.PathLike[str]) -> None:
    link = os.path.join(home, "senryu")
    os.symlink(CHECKOUT / "bin" / "senryu", link)
    done = subprocess.run([link, "local:run", "printenv | grep -c PYTHONPATH"], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_help_needs_none_of_the_slow_modules() -> None:
    slow = "{'ssl', 'http.client', 'subprocess', 'argparse'} & set(sys.modules)"
    code = f"import sys; from senryu.cli import main; main(['help']); print(sorted({slow}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == "[]\n"


def test_a_bug_is_one_line_and_no_traceback(senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("senryu.cli.version.platform", None)
    result = senryu("version")
    assert result.status == 1
    assert result.err.startswith("error: senryu hit a bug (AttributeError")


def test_an_interrupt_gives_130(senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("senryu.cli.version.platform.system", interrupted)
    assert senryu("version").status == 130


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -I {CHECKOUT}/src/senryu/cli/__main__.py help | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
