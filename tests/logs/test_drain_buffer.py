"""A drain's buffer: bounded, and every line of the log is delivered, waiting or counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from senryu.core.log_drain import https_frame
from senryu.core.log_line import LogLine, tail_overflow
from senryu.logs.drain_buffer import DrainBuffer, Mark

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(seq: int, origin: str = "") -> LogLine:
    return LogLine(AT, "app", "web.1", f"line {seq}", origin, seq, seq)


def lines(first: int, last: int) -> list[LogLine]:
    return [line(seq) for seq in range(first, last + 1)]


def texts(buffer: DrainBuffer, most_bytes: int = 10**6) -> list[str]:
    batch = buffer.take(most_bytes, https_frame, AT)
    return [frame.decode().split(" - ", 1)[1].rstrip("\n") for frame in batch.frames] if batch else []


def test_lines_are_taken_in_order_and_the_mark_follows_what_is_settled() -> None:
    buffer = DrainBuffer(Mark(4))
    buffer.put(lines(5, 7), AT)
    assert texts(buffer) == ["line 5", "line 6", "line 7"]
    assert buffer.mark == Mark(4)
    buffer.settle(AT, is_taken=True)
    assert buffer.mark == Mark(7)
    assert texts(buffer) == []


def test_a_batch_is_about_as_large_as_asked() -> None:
    buffer = DrainBuffer(Mark(0))
    buffer.put(lines(1, 100), AT)
    assert len(texts(buffer, 500)) == 8


def test_the_oldest_are_displaced_and_told_of_first() -> None:
    buffer = DrainBuffer(Mark(0), most=10)
    buffer.put(lines(1, 14), AT)
    buffer.put(lines(15, 15), AT + timedelta(seconds=9))
    assert (buffer.waiting, buffer.mark) == (10, Mark(5, 5, AT))
    told = texts(buffer)
    assert told[:2] == ["Error L10 (output buffer overflow): 5 messages dropped since 2026-01-02T03:04:05+00:00.", "line 6"]
    buffer.settle(AT, is_taken=True)
    assert buffer.mark == Mark(15)


def test_what_goes_while_a_batch_is_under_way_is_told_after_it() -> None:
    buffer = DrainBuffer(Mark(0), most=10)
    buffer.put(lines(1, 10), AT)
    assert len(texts(buffer, 100)) == 2
    buffer.put(lines(11, 13), AT)
    assert buffer.mark == Mark(0)
    buffer.settle(AT, is_taken=True)
    assert buffer.mark == Mark(3, 1, AT)
    assert texts(buffer)[1] == "line 4"


def test_a_batch_put_back_is_taken_again_as_far_as_there_is_room() -> None:
    buffer = DrainBuffer(Mark(0), most=10)
    buffer.put(lines(1, 10), AT)
    texts(buffer, 100)
    buffer.put(lines(11, 11), AT)
    buffer.put_back(AT)
    assert texts(buffer, 100)[0].startswith("Error L10 (output buffer overflow): 1 messages")
    buffer.put(lines(12, 16), AT)
    buffer.put_back(AT)
    told = texts(buffer)
    assert told[0].startswith("Error L10 (output buffer overflow): 6 messages")
    assert told[1:] == [f"line {seq}" for seq in range(7, 17)]


def test_a_batch_that_is_lost_counts_without_the_line_that_told_of_others() -> None:
    buffer = DrainBuffer(Mark(0, 7, AT))
    buffer.put(lines(1, 3), AT)
    assert len(texts(buffer)) == 4
    buffer.settle(AT, is_taken=False)
    assert buffer.mark == Mark(3, 10, AT)


def test_lines_missing_from_the_log_are_counted_and_its_own_word_for_them_is_not_sent() -> None:
    buffer = DrainBuffer(Mark(4))
    buffer.put([tail_overflow(6, since=AT, now=AT, seq=10), line(11), line(15)], AT)
    assert texts(buffer)[0].startswith("Error L10 (output buffer overflow): 6 messages")
    buffer.settle(AT, is_taken=True)
    assert texts(buffer)[0].startswith("Error L10 (output buffer overflow): 3 messages")


def test_lines_about_drains_are_not_sent() -> None:
    buffer = DrainBuffer(Mark(0))
    buffer.put([line(1), line(2, "drain:1"), line(3)], AT)
    assert texts(buffer) == ["line 1", "line 3"]


def test_a_shrunk_buffer_keeps_the_newest() -> None:
    buffer = DrainBuffer(Mark(0))
    buffer.put(lines(1, 50), AT)
    buffer.shrink(10, AT)
    assert (buffer.waiting, buffer.mark) == (10, Mark(40, 40, AT))


steps = st.lists(st.one_of(st.integers(1, 8).map(lambda n: ("put", n)), st.sampled_from([("take", 0), ("yes", 0), ("no", 0), ("back", 0)])))


@given(steps)
def test_whatever_happens_no_line_is_lost_uncounted_and_a_restart_knows_it(taken: list[tuple[str, int]]) -> None:
    buffer, seq, delivered, told, batch = DrainBuffer(Mark(0), most=5), 0, 0, 0, None
    for what, count in taken:
        if what == "put":
            buffer.put(lines(seq + 1, seq + count), AT)
            seq += count
        elif what == "take" and batch is None:
            batch = buffer.take(150, https_frame, AT)
        elif what in ("yes", "no") and batch is not None:
            buffer.settle(AT, is_taken=what == "yes")
            delivered, told = delivered + batch.lines * (what == "yes"), told + batch.tells * (what == "yes")
            batch = None
        elif what == "back" and batch is not None:
            buffer.put_back(AT)
            batch = None
        assert buffer.waiting <= 5
        # What a restart would know: lines up to the mark are delivered, told of as lost, or still to be told of.
        assert buffer.mark.seq == delivered + told + buffer.mark.lost
    if batch is not None:
        buffer.put_back(AT)
    assert seq - delivered == buffer.waiting + buffer.lost_ever
