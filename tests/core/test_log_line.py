"""The rules of log lines: how they look, what is made harmless, where they are cut."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core import limits
from senryu.core.log_line import (
    LogFilter,
    LogLine,
    cleaned,
    cleaned_all,
    delivery_error,
    formatted,
    local_overflow,
    matches,
    parsed,
    selected,
    split,
    tail_overflow,
    tidied,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LINE = LogLine(AT, "app", "web.1", "hello")
NASTY = [
    b"\x00",
    b"\r",
    b"\x1b",
    b"\x1b[31m",
    b"\x1b[2J",
    b"[",
    b"0;1",
    b"m",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xff",
    b"\xf0\x9f\x98\x80",
]
written = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([*NASTY, b"a", b"\t", b" ", b"\n"]), max_size=60).map(b"".join),
)
one_line = written.map(lambda text: text.replace(b"\n", b""))


def test_a_line_looks_as_heroku_prints_it() -> None:
    assert formatted(LINE) == "2026-01-02T03:04:05.000000+00:00 app[web.1]: hello"
    assert formatted(replace(LINE, source="heroku", process="router", text="")) == "2026-01-02T03:04:05.000000+00:00 heroku[router]: "


def test_a_line_without_a_process_has_no_brackets() -> None:
    assert formatted(replace(LINE, process="")) == "2026-01-02T03:04:05.000000+00:00 app: hello"


def test_a_line_from_another_time_zone_is_shown_in_utc() -> None:
    there = AT.astimezone(timezone(timedelta(hours=-8)))
    assert formatted(replace(LINE, at=there)) == formatted(LINE)


@given(
    written,
    st.sampled_from(["app", "heroku"]),
    st.sampled_from(["web.1", "run.4821", "router", "api", ""]),
    st.datetimes(timezones=st.just(UTC)),
)
def test_what_is_formatted_is_parsed_back(text: bytes, source: str, process: str, at: datetime) -> None:
    line = LogLine(at, source, process, cleaned(text))
    assert parsed(formatted(line)) == line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "2026-01-02T03:04:05.000000+00:00 web[1]: x",
        "2026-01-02T03:04:65.000000+00:00 app[a]: x",
        "2026-01-02T03:04:05.000000000000 app[a]: x",
    ],
)
def test_what_is_no_log_line_is_not_parsed(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain \ttext", "plain \ttext"),
        ("grüß 😀".encode(), "grüß 😀"),
        (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b[38;2;1;2;3mrgb\x1b[m", "\x1b[38;2;1;2;3mrgb\x1b[m"),
        (b"\x1b[2Jcleared", "␛[2Jcleared"),
        (b"\x1b]0;title\x07", "␛]0;title␇"),
        (b"\x1b[31", "␛[31"),
        (b"a\x00b\x08c\x7f", "a␀b␈c␡"),
        (b"windows\r", "windows"),
        (b"tty\r\r", "tty"),
        (b"10%\r20%", "10%␍20%"),
        (b"a\nb", "a␊b"),
        (b"bad \xff\xc3( utf", "bad \ufffd\ufffd( utf"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("a\u2028b\u2029c\u0085d".encode(), "a\ufffdb\ufffdc\ufffdd"),
        ("\u202eevil\u2066\u200f".encode(), "\ufffdevil\ufffd\ufffd"),
        ("\x9b31m".encode(), "\ufffd31m"),
        (b"", ""),
    ],
)
def test_what_could_do_harm_is_made_visible(raw: bytes, text: str) -> None:
    assert cleaned(raw) == text


@given(written)
def test_cleaned_text_is_one_line_with_no_control_but_tabs_and_colours(text: bytes) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m", "", cleaned(text)).replace("\t", "")
    assert len(cleaned(text).splitlines()) <= 1
    assert all(unicodedata.category(char) not in {"Cc", "Zl", "Zp", "Cs"} for char in rest)
    assert all(unicodedata.bidirectional(char) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} for char in rest)


@given(written)
def test_cleaning_twice_changes_nothing(text: bytes) -> None:
    assert cleaned(cleaned(text).encode()) == cleaned(text)


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_ordinary_text_in_any_script_is_kept(text: str) -> None:
    assert cleaned(text.encode()) == text


@given(st.lists(written, max_size=12))
def test_many_are_cleaned_as_one_by_one(texts: list[bytes]) -> None:
    assert cleaned_all(texts) == [cleaned(text) for text in texts]


@given(st.lists(one_line, max_size=12))
def test_many_clean_and_unclean_lines_stay_as_many(texts: list[bytes]) -> None:
    assert cleaned_all(texts) == [cleaned(text) for text in texts]


@given(written, st.integers(1, 60), st.integers(100, 140))
def test_pieces_join_to_the_line_and_none_is_too_long(text: bytes, repeat: int, max_bytes: int) -> None:
    whole = cleaned(text) * repeat
    pieces = split(whole, max_bytes)
    assert "".join(pieces) == whole
    assert all(len(piece.encode()) <= max_bytes for piece in pieces)
    assert all(pieces) or pieces == [""]


@given(written, st.integers(1, 60))
def test_a_piece_never_ends_inside_a_colour(text: bytes, repeat: int) -> None:
    assert all(cleaned(piece.encode()) == piece for piece in split(cleaned(text) * repeat, 100))


def test_lines_are_cut_at_10000_bytes() -> None:
    assert [len(piece) for piece in split("x" * 25_000)] == [10_000, 10_000, 5_000]
    assert [len(piece) for piece in split("x" * 10_000)] == [10_000]
    assert [len(piece) for piece in split("é" * 5_001)] == [5_000, 1]


@pytest.mark.parametrize(
    ("wanted", "source", "process", "is_wanted"),
    [
        (LogFilter(), "app", "web.1", True),
        (LogFilter(dyno="web.1"), "app", "web.1", True),
        (LogFilter(dyno="web.1"), "heroku", "web.1", True),
        (LogFilter(dyno="web.1"), "app", "web.10", False),
        (LogFilter(dyno="web"), "app", "web.10", True),
        (LogFilter(dyno="web"), "heroku", "webhook.1", False),
        (LogFilter(dyno="router"), "heroku", "router", True),
        (LogFilter(dyno="run"), "app", "run.4821", True),
        (LogFilter(source="app"), "app", "api", True),
        (LogFilter(source="app"), "heroku", "web.1", False),
        (LogFilter("heroku", "web"), "heroku", "web.1", True),
        (LogFilter("heroku", "web"), "app", "web.1", False),
        (LogFilter("heroku", "web"), "heroku", "router", False),
        (LogFilter(dyno=""), "app", "web.1", False),
    ],
)
def test_a_reader_gets_what_it_asked_for(wanted: LogFilter, source: str, process: str, is_wanted: bool) -> None:
    assert matches(LogLine(AT, source, process, "x"), wanted) is is_wanted


@given(st.lists(st.tuples(st.sampled_from(["app", "heroku"]), st.sampled_from(["web.1", "web.2", "worker.1", "router"]))))
def test_selecting_many_is_matching_each(kinds: list[tuple[str, str]]) -> None:
    lines = [LogLine(AT, source, process, str(number)) for number, (source, process) in enumerate(kinds)]
    for wanted in (LogFilter(), LogFilter(dyno="web"), LogFilter("heroku"), LogFilter("app", "web.1")):
        assert selected(lines, wanted) == [line for line in lines if matches(line, wanted)]


def test_harmless_lines_are_left_alone() -> None:
    lines = [LINE, replace(LINE, text="grün \x1b[32mok\x1b[0m"), replace(LINE, text="x" * limits.LOG_LINE_MAX_BYTES)]
    assert tidied(lines[:2]) is not None and list(tidied(lines)) == lines
    assert tidied(lines[:1])[0] is LINE
    assert list(tidied([])) == []


def test_a_text_with_newlines_becomes_as_many_lines_of_the_same_source() -> None:
    assert [(line.source, line.process, line.text) for line in tidied([replace(LINE, text="a\n\nb\r")])] == [
        ("app", "web.1", "a"),
        ("app", "web.1", ""),
        ("app", "web.1", "b"),
    ]


@given(st.lists(st.text(max_size=50), max_size=8), st.integers(0, 3))
def test_tidied_lines_are_clean_and_short_whatever_was_written(texts: list[str], longer: int) -> None:
    lines = tidied([replace(LINE, text=text * (1 + 2000 * longer), position=n) for n, text in enumerate(texts)])
    assert all(cleaned(line.text.encode()) == line.text and len(line.text.encode()) <= limits.LOG_LINE_MAX_BYTES for line in lines)
    assert {line.position for line in lines} == set(range(len(texts)))


def test_losses_are_told_in_herokus_words() -> None:
    lost = tail_overflow(1101, since=AT, now=AT, seq=7)
    assert formatted(lost) == (
        "2026-01-02T03:04:05.000000+00:00 heroku[logplex]: Error L11 (Tail buffer overflow) -> "
        "This tail session dropped 1101 messages since 2026-01-02T03:04:05+00:00."
    )
    assert lost.seq == 7
    dropped = local_overflow(222, since=AT, now=AT, origin="dyno", position=9)
    assert formatted(dropped).endswith(" app[log-shuttle]: Error L12: 222 messages dropped since 2026-01-02T03:04:05.000000+00:00.")
    gone = delivery_error(111, since=AT, now=AT, origin="dyno", position=9)
    assert formatted(gone).endswith(" app[log-shuttle]: Error L13: 111 messages lost since 2026-01-02T03:04:05.000000+00:00.")
    assert (dropped.origin, dropped.position) == (gone.origin, gone.position) == ("dyno", 9)
