from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.exit_mark import MARK, in_pieces

LINE = MARK + b"7\r\n"


@pytest.mark.parametrize(
    ("data", "now", "waits"),
    [
        (b"hello\n", [b"hello\n"], b""),
        (b"bye\n" + LINE, [b"bye\n", LINE], b""),
        (b"bye\n" + LINE + b"more", [b"bye\n", LINE, b"more"], b""),
        (b"bye\n" + MARK, [b"bye\n"], MARK),
        (b"bye\n" + MARK + b"12", [b"bye\n"], MARK + b"12"),
        (b"bye\n" + MARK[:1], [b"bye\n"], MARK[:1]),
        (b"bye\n" + MARK[:20], [b"bye\n"], MARK[:20]),
        (MARK + b"no number at all", [MARK + b"no number at all"], b""),
        (b"", [], b""),
    ],
)
def test_the_line_is_a_piece_of_its_own_and_half_of_it_waits(data: bytes, now: list[bytes], waits: bytes) -> None:
    assert in_pieces(data) == (now, waits)


@given(st.lists(st.sampled_from([LINE, MARK, b"text", b"\xef", b"\xef\xbf", b"\n", b" heroku"])), st.lists(st.integers(1, 9)))
def test_however_it_arrives_nothing_is_lost_and_a_line_is_never_cut(parts: list[bytes], sizes: list[int]) -> None:
    data = left = b"".join(parts)
    sent: list[bytes] = []
    waiting = b""
    for size in [*sizes, len(data)]:
        chunk, left = left[:size], left[size:]
        now, waiting = in_pieces(waiting + chunk)
        sent += now
    assert b"".join(sent) + waiting == data
    assert sum(LINE in piece for piece in [*sent, waiting]) == data.count(LINE)
