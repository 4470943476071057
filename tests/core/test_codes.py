"""H codes from how a request ended, and the text of router lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.codes import H_CODES, error_code, router_line
from senryu.core.route import RequestLine

GOOD = RequestLine(
    position=1, at_ms=1_700_000_000_000, app_id=None, method="GET", path="/", host="a.example.com", request_id="abc", fwd="203.0.113.9",
    dyno="web.1", connect_ms=0, service_ms=1, status=200, sent_bytes=12, protocol="https", code="", cause="--", tls=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "status", "code"),
    [
        ("--", 200, ""),
        ("--", 503, ""),
        ("LR", 404, ""),
        ("SC", 503, "H21"),
        ("sC", 503, "H19"),
        ("SH", 502, "H13"),
        ("sH", 504, "H12"),
        ("SD", 200, "H18"),
        ("sD", 200, "H15"),
        ("sQ", 503, "H11"),
        ("PH", 502, "H17"),
        ("PH", 400, "H26"),
        ("PR", 400, "H26"),
        ("CR", 400, "H27"),
        ("CQ", 503, "H27"),
        ("CC", 503, "H27"),
        ("CH", 400, "H27"),
        ("CD", 200, "H27"),
        ("cR", 408, "H28"),
        ("cD", 200, "H28"),
        ("KD", 200, "H24"),
        ("RC", 500, "H99"),
        ("IH", 500, "H99"),
        ("CD", 101, ""),
        ("SD", 101, ""),
        ("cD", 101, "H15"),
        ("sD", 101, "H15"),
    ],
)
def test_how_a_request_ended_gives_its_code(cause: str, status: int, code: str) -> None:
    assert error_code(cause, status) == code


def test_a_code_that_a_rule_decided_on_is_the_code() -> None:
    assert error_code("LR", 503, "H80") == "H80"


def test_a_good_request_reads_as_heroku_writes_it() -> None:
    assert router_line(GOOD) == (
        'at=info method=GET path="/" host=a.example.com request_id=abc fwd="203.0.113.9" dyno=web.1 '
        "connect=0ms service=1ms status=200 bytes=12 protocol=https"
    )


def test_a_timeout_names_its_code_first_and_sent_nothing() -> None:
    line = replace(GOOD, code="H12", connect_ms=6, service_ms=30001, status=503, sent_bytes=418, protocol="http")
    assert router_line(line) == (
        'at=error code=H12 desc="Request timeout" method=GET path="/" host=a.example.com request_id=abc fwd="203.0.113.9" dyno=web.1 '
        "connect=6ms service=30001ms status=503 bytes=0 protocol=http"
    )


@pytest.mark.parametrize("code", ["H10", "H11", "H14", "H20", "H22", "H80", "H81", "H99"])
def test_a_request_that_no_dyno_saw_leaves_the_dynos_fields_empty(code: str) -> None:
    text = router_line(replace(GOOD, code=code, dyno="", connect_ms=-1, service_ms=-1, status=503, sent_bytes=418))
    assert f'at={H_CODES[code][0]} code={code} desc="{H_CODES[code][1]}" method=' in text
    assert "dyno= connect= service= status=503 bytes= protocol=https" in text


def test_h18_and_h27_say_whose_socket_it_was() -> None:
    assert router_line(replace(GOOD, code="H18")).startswith('sock=backend at=error code=H18 desc="Server Request Interrupted" method')
    interrupted = router_line(replace(GOOD, code="H27"))
    assert interrupted.startswith("sock=client at=warning code=H27") and "status=499" in interrupted


@pytest.mark.parametrize(
    ("status", "dyno", "told"),
    [
        (417, "", 'cause="unsupported expect header value" method=GET path="/" host=a.example.com'),
        (400, "", 'cause="bad header" method=GET path="/" host=a.example.com'),
        (400, "web.1", 'cause="bad chunk" method=GET path="/" host=a.example.com'),
    ],
)
def test_a_refused_request_keeps_the_status_its_visitor_saw_and_says_why(status: int, dyno: str, told: str) -> None:
    text = router_line(replace(GOOD, code="H26", status=status, dyno=dyno))
    assert f'code=H26 desc="Request Error" {told}' in text and f"status={status}" in text
    assert ("connect=0ms service=1ms" if dyno else "dyno= connect= service= ") in text


def test_a_restriction_names_what_was_too_large() -> None:
    text = router_line(replace(GOOD, code="H25", detail="oversized cookie", status=502))
    assert text.startswith('at=error code=H25 desc="HTTP restriction: oversized cookie" method=GET') and "status=502" in text


def test_a_request_that_the_router_cut_has_no_status() -> None:
    assert router_line(replace(GOOD, code="H24", sent_bytes=18)).endswith("service=1ms status= bytes=18 protocol=https")


def test_steps_that_were_not_reached_are_empty() -> None:
    assert "connect= service= status" in router_line(replace(GOOD, code="H21", connect_ms=-1, service_ms=-1))


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_a_visitor_sends_can_forge_a_field_or_a_line(path: str, host: str, request_id: str, method: str) -> None:
    text = router_line(replace(GOOD, path=path, host=host, request_id=request_id, method=method))
    assert text.isprintable()
    assert text.count('"') == 4
    outside = text.split('"')[0::2]
    assert [word.partition("=")[0] for part in outside for word in part.split()] == [
        "at", "method", "path", "host", "request_id", "fwd", "dyno", "connect", "service", "status", "bytes", "protocol",
    ]  # fmt: skip
