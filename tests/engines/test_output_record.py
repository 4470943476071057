"""conmon's record of output, read back as lines."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from senryu.core.limits import LOG_LINE_MAX_BYTES
from senryu.engines.container.output_record import OutputRecord

TEXTS = st.binary(max_size=40).filter(lambda text: b"\n" not in text)
TIME = "2026-01-02T03:04:05.123456789+00:00"


def _record(text: bytes, stream: str = "stdout", tag: str = "F", time: str = TIME) -> bytes:
    return f"{time} {stream} {tag} ".encode() + text + b"\n"


def _texts(raw: bytes) -> list[bytes]:
    record = OutputRecord(uuid4())
    return [line.text for line in record.feed(raw) + record.finish()]


def test_a_record_becomes_a_line_with_its_time_and_stream() -> None:
    (line,) = OutputRecord(uuid4()).feed(_record(b"hello  world ", "stderr"))
    assert (line.text, line.stream, line.at) == (b"hello  world ", "stderr", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC))


def test_parts_are_joined_within_their_stream() -> None:
    raw = _record(b"one ", tag="P") + _record(b"E", "stderr", "P") + _record(b"two") + _record(b"rr", "stderr")
    assert _texts(raw) == [b"one two", b"Err"]


def test_a_line_without_an_end_comes_when_the_dyno_has_ended() -> None:
    assert _texts(_record(b"done") + _record(b"prompt> ", tag="P")) == [b"done", b"prompt> "]


def test_any_bytes_are_kept() -> None:
    assert _texts(_record(b"\xff\x00\x1b[31m F P \r")) == [b"\xff\x00\x1b[31m F P \r"]
    assert _texts(_record(b"")) == [b""]


def test_what_is_no_record_is_left_out() -> None:
    assert _texts(b"\n" + b"nonsense\n" + b"no-time stdout F x\n" + _record(b"good")) == [b"good"]


def test_the_first_line_behind_a_gap_tells_how_many_are_gone() -> None:
    record = OutputRecord(uuid4())
    record.feed(_record(b"whole") + _record(b"its end is gone", tag="P"))
    record.begin_file(41)
    first, second = record.feed(_record(b"a") + _record(b"b"))
    assert (first.text, first.lost, second.lost) == (b"a", 42, 0)
    record.begin_file()
    assert [line.lost for line in record.feed(_record(b"c"))] == [0]


def test_positions_grow_from_file_to_file() -> None:
    record = OutputRecord(uuid4())
    first = record.feed(_record(b"a" * 100) * 1000)
    record.begin_file()
    second = record.feed(_record(b"b", time="2026-01-02T03:04:06.000000000+00:00"))
    positions = [line.position for line in first + second]
    assert positions == sorted(set(positions))


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=40).filter(lambda text: b"\n" not in text), st.sampled_from(["stdout", "stderr"]), st.sampled_from("FP")
        ),
        max_size=30,
    ),
    st.integers(1, 50),
)
def test_lines_and_positions_do_not_depend_on_how_the_file_is_read(records: list[tuple[bytes, str, str]], step: int) -> None:
    raw = b"".join(_record(text, stream, tag) for text, stream, tag in records)
    whole, pieces = OutputRecord(uuid4()), OutputRecord(uuid4())
    at_once = whole.feed(raw) + whole.finish()
    bit_by_bit = [line for start in range(0, len(raw), step) for line in pieces.feed(raw[start : start + step])] + pieces.finish()
    assert [(line.position, line.text) for line in at_once] == [(line.position, line.text) for line in bit_by_bit]
    positions = [line.position for line in at_once]
    assert positions == sorted(set(positions))
    for stream in ("stdout", "stderr"):
        written = b"".join(text for text, of, _ in records if of == stream)
        assert b"".join(line.text for line in at_once if line.stream == stream) == written


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["stdout", "stderr"]), st.sampled_from("FFFP"), st.integers(0, 1)), max_size=30))
def test_each_line_has_its_own_text_stream_and_time_however_they_are_mixed(records: list[tuple[bytes, str, str, int]]) -> None:
    wanted, begun, second = [], dict[str, tuple[int, bytes]](), 0
    raw = b""
    for text, stream, tag, later in records:
        second += later
        raw += _record(text, stream, tag, f"2026-01-02T03:04:{second:02}.000000000+00:00")
        since, before = begun.get(stream, (second, b""))
        begun[stream] = since, before + text
        if tag == "F":
            wanted.append((stream, *begun.pop(stream)))
    wanted += [(stream, since, text) for stream, (since, text) in begun.items()]
    record = OutputRecord(uuid4())
    found = record.feed(raw) + record.finish()
    assert [(line.stream, line.at.second, line.text) for line in found] == wanted


@given(st.integers(0, 5 * LOG_LINE_MAX_BYTES), st.integers(1, 3 * LOG_LINE_MAX_BYTES))
def test_long_lines_come_in_full_pieces_and_lose_nothing(length: int, part: int) -> None:
    parts = [b"x" * min(part, length - start) for start in range(0, length, part)] or [b""]
    raw = b"".join(_record(text, tag="F" if number == len(parts) else "P") for number, text in enumerate(parts, 1))
    sizes = [len(text) for text in _texts(raw)]
    assert sum(sizes) == length
    assert all(size == LOG_LINE_MAX_BYTES for size in sizes[:-1])
    assert sizes[-1] <= LOG_LINE_MAX_BYTES
