from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.cli import netrc

OTHERS = """# my machines
machine github.com
  login ada
  password "with blanks"
macdef init
cd /pub
machine not.a.machine login x password y

machine localhost:9090 login bob password b
"""


def test_an_entry_is_added_and_every_other_line_stays() -> None:
    text = netrc.with_entry(OTHERS, "localhost:8080", "ada@example.com", "t0ken")
    assert text == OTHERS + "machine localhost:8080\n  login ada@example.com\n  password t0ken\n"
    assert netrc.without_entry(text, "localhost:8080") == OTHERS


def test_an_entry_is_replaced_where_it_stands() -> None:
    text = netrc.with_entry("machine a login x password 1\nmachine b login y password 2\n", "a", "z", "3")
    assert text == "machine a\n  login z\n  password 3\nmachine b login y password 2\n"


def test_an_entry_goes_before_default_because_nothing_is_read_after_it() -> None:
    text = netrc.with_entry("default login anonymous password x\n", "a", "z", "3")
    assert [entry.machine for entry in netrc.entries(text)] == ["a", ""]


def test_macros_comments_and_quotes_are_understood() -> None:
    found = {entry.machine: entry.values for entry in netrc.entries(OTHERS)}
    assert found == {
        "github.com": {"login": "ada", "password": "with blanks"},
        "localhost:9090": {"login": "bob", "password": "b"},
    }


BROKEN = ["machine", "machine a login", "machine a password", 'machine a password "', "macdef", "#", "default", "\0"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_read_as_far_as_it_goes(text: str) -> None:
    assert list(netrc.entries(netrc.with_entry(text, "b", "x", "y"))) != []


MACHINES = st.from_regex(r"[a-z]{1,5}(:[0-9]{1,4})?", fullmatch=True)
PASSWORDS = st.from_regex(r"[a-zA-Z0-9@.-]{1,9}", fullmatch=True)


@given(st.lists(st.tuples(MACHINES, PASSWORDS), max_size=5))
def test_what_was_written_is_read_and_what_was_removed_is_gone(written: list[tuple[str, str]]) -> None:
    text = OTHERS
    for machine, password in written:
        text = netrc.with_entry(text, machine, "me", password)
    found = {entry.machine: entry.values["password"] for entry in netrc.entries(text)}
    assert all(found[machine] == password for machine, password in dict(written).items())
    for machine, _ in written:
        text = netrc.without_entry(text, machine)
    assert text == OTHERS


def test_the_file_is_for_the_user_only(home: Path) -> None:
    (home / ".netrc").write_text("machine a login b password c\n")
    (home / ".netrc").chmod(0o644)
    netrc.write(netrc.with_entry(netrc.read(), "x", "y", "z"))
    assert stat.S_IMODE((home / ".netrc").stat().st_mode) == 0o600
    assert os.listdir(home) == [".netrc"]


def test_a_linked_file_stays_linked(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "netrc").write_text("")
    (home / ".netrc").symlink_to("dotfiles/netrc")
    netrc.write("machine a login b password c\n")
    assert (home / ".netrc").is_symlink()
    assert netrc.credentials("a") == ("b", "c")
