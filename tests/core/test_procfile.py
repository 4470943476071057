import pytest

from senryu.core.errors import Invalid
from senryu.core.procfile import parse


@pytest.mark.parametrize(
    ("content", "types"),
    [
        (b"", {}),
        (b"\n \n# nothing\n", {}),
        (b"web: python app.py", {"web": "python app.py"}),
        (b"web: a\nworker: b\n", {"web": "a", "worker": "b"}),
        (b"web: a\r\nworker: b\r\n", {"web": "a", "worker": "b"}),
        (b"web: a\rworker: b", {"web": "a", "worker": "b"}),
        (b"\xef\xbb\xbfweb: a", {"web": "a"}),
        (b"web:\t a \t", {"web": "a"}),
        (b"  web:a", {"web": "a"}),
        (b"my_web-2: a", {"my_web-2": "a"}),
        (b"web: a:b # not a comment", {"web": "a:b # not a comment"}),
        (b"web: first\nweb: second", {"web": "second"}),
        ("web: echo a\u2028b\x0cc".encode(), {"web": "echo a\u2028b\x0cc"}),
    ],
)
def test_process_types_and_their_commands(content: bytes, types: dict[str, str]) -> None:
    assert parse(content) == types


def test_the_order_is_kept() -> None:
    assert list(parse(b"z: 1\na: 2\nm: 3")) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"web: ok\nnonsense", "line 2"),
        (b"web:", "line 1"),
        (b": x", "line 1"),
        (b"we b: x", "line 1"),
        (b"web: a\0b", "line 1"),
        ("wéb: x".encode(), "line 1"),
        (b"x" * 64 + b": y", "line 1"),
        (b"\xff\xfew\0e\0b\0", "UTF-8"),
        (b"#" * (64 * 1024 + 1), "64 KB"),
        (b"".join(b"t%d: x\n" % number for number in range(101)), "101 process types"),
    ],
)
def test_what_is_no_procfile_is_named(content: bytes, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(content)
    assert words in refused.value.message


def test_a_hostile_line_takes_no_time() -> None:
    # Quadratic matching took seconds for this and would stop the platform meanwhile.
    assert parse(b"web: a" + b" " * 60_000 + b"b")["web"].endswith("b")
    with pytest.raises(Invalid):
        parse(b"a" * 60_000)
