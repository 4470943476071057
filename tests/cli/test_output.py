from __future__ import annotations

import io

import pytest

from senryu.cli.output import Progress, has_colour, paint, pairs, table


class TerminalText(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (TerminalText(), {}, True),
        (TerminalText(), {"NO_COLOR": "1"}, False),
        (TerminalText(), {"NO_COLOR": ""}, True),
        (TerminalText(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_colour(stream) is coloured
    assert (paint("x", "red", stream) == "\x1b[31mx\x1b[0m") is coloured


def test_progress_ends_with_done_or_with_a_mark(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Scaling dynos") as progress:
        progress.then = "v7"
    with pytest.raises(ValueError), Progress("Scaling dynos"):
        raise ValueError
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Scaling dynos... done, v7\nScaling dynos... !\n")


def test_pairs_are_aligned_and_lists_go_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    pairs({"A": 1, "Long": ["x", "y"], "None": None, "Empty": []})
    assert capsys.readouterr().out == "A:    1\nLong: x\n      y\n"


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    table([], ("Name", "State"))
    table([])
    assert capsys.readouterr().out == " Name  State\n ────  ─────\n"
