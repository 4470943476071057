"""The manual's table of the official client's commands is the one that the compatibility suite goes by."""

from __future__ import annotations

from compat.table import PAGE, REFUSED, UNSUPPORTED, WORKS, fate, written


def test_the_manual_has_the_suites_table() -> None:
    assert PAGE.read_text() == written(), "write it anew: python tests/compat/table.py"


def test_every_command_has_one_fate() -> None:
    assert not WORKS & REFUSED.keys()
    assert not (WORKS | REFUSED.keys()) & UNSUPPORTED.keys()
    assert fate("pg:info")[0] == "works"
    assert fate("pg:fdwsql")[0] == "not supported"
