"""Drains' addresses, frames and figures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from senryu.core.errors import Invalid
from senryu.core.log_drain import (
    backoff_max_s,
    bad_certificate,
    https_frame,
    is_refusal,
    masked,
    overflow,
    priority,
    receiver,
    reconnect_delay_s,
    syslog_frame,
)
from senryu.core.log_line import LogLine

AT = datetime(2012, 7, 22, 0, 6, 26, tzinfo=UTC)
TOKEN = "d.01234567-89ab-cdef-0123-456789abcdef"


def line(text: str, source: str = "heroku", process: str = "web.3") -> LogLine:
    return LogLine(AT, source, process, text)


def test_a_syslog_frame_counts_its_bytes_and_names_the_drain_as_host() -> None:
    frame = syslog_frame(line("Grüße", "app", "web.1"), TOKEN)
    length, _, rest = frame.partition(b" ")
    assert int(length) == len(rest)
    assert rest == f"<190>1 2012-07-22T00:06:26.000000+00:00 {TOKEN} app web.1 - - Grüße\n".encode()


def test_an_https_frame_says_host_and_has_no_structured_data() -> None:
    frame = https_frame(line("Starting process with command `bundle exec rackup config.ru -p 24405`"))
    length, _, rest = frame.partition(b" ")
    assert int(length) == len(rest)
    said = b"Starting process with command `bundle exec rackup config.ru -p 24405`"
    assert rest == b"<45>1 2012-07-22T00:06:26.000000+00:00 host heroku web.3 - " + said + b"\n"


def test_a_line_without_a_process_has_a_dash_for_it() -> None:
    assert b" host app - - said\n" in https_frame(line("said", "app", ""))


def test_kinds_of_lines_have_herokus_priorities() -> None:
    lines = (line("x", "app", "web.1"), line("x", "heroku", "router"), line("x", "heroku", "web.1"), line("x", "heroku", "logplex"))
    assert [priority(each) for each in lines] == [190, 158, 45, 172]


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target", "credentials"),
    [
        ("https://logs.example.com/in?a=b", "https", "logs.example.com", 443, "/in?a=b", ""),
        ("https://me:p%40ss@logs.example.com:8443", "https", "logs.example.com", 8443, "/", "me:p@ss"),
        ("HTTP://[2606:4700::1]:8080/x", "http", "2606:4700::1", 8080, "/x", ""),
        ("syslog://logs.example.com:1234", "syslog", "logs.example.com", 1234, "/", ""),
        ("syslog+tls://logs.example.com", "syslog+tls", "logs.example.com", 6514, "/", ""),
    ],
)
def test_a_drains_url_is_taken_apart(url: str, scheme: str, host: str, port: int, target: str, credentials: str) -> None:
    found = receiver(url)
    assert (found.scheme, found.host, found.port, found.target, found.credentials) == (scheme, host, port, target, credentials)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "logs.example.com",
        "file:///etc/passwd",
        "gopher://x.example.com",
        "https://",
        "https://h:0/",
        "https://h:99999/",
        "https://h\n/x",
        "https://h /x",
        "https://ü.example.com/",
        "syslog://user@h:1",
        "syslog://h:1/path",
        "https://[::1",
        "https://h/" + "x" * 3000,
        "https://h/\r\nX: y",
    ],
)
def test_a_url_that_is_no_drains_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        receiver(url)


def test_credentials_are_not_shown() -> None:
    for url in ("https://me:s3cret@h.example.com/in?token=s3cret", "https://s3cret@h.example.com/in"):
        assert "s3cret" not in masked(url)
        told = bad_certificate('self "signed"', url, now=AT, origin="drain:1", position=1).text
        assert "s3cret" not in told
        assert told.startswith("Error L14 (certificate validation): error=\"self 'signed'\" uri=\"https://")
    assert masked("syslog://h:1") == "syslog://h:1"


def test_an_overflow_reads_as_herokus() -> None:
    text = overflow(500, since=AT, now=AT).text
    assert text == "Error L10 (output buffer overflow): 500 messages dropped since 2012-07-22T00:06:26+00:00."


def test_a_receiver_that_refuses_is_told_from_one_that_fails() -> None:
    assert [status for status in (200, 301, 400, 401, 404, 410, 429, 500, 503) if is_refusal(status)] == [400, 401, 404, 410]


def test_requests_back_off_in_slots_of_ten_milliseconds() -> None:
    assert [backoff_max_s(n) for n in (0, 1, 5, 10, 50)] == [0.01, 0.02, 0.32, 10.24, 10.24]


def test_connections_are_thirty_seconds_apart_and_back_off_to_five_minutes() -> None:
    assert [reconnect_delay_s(n, 0.0) for n in (0, 1, 4, 6, 8, 9, 100)] == [0.0, 30.0, 30.0, 64.0, 256.0, 300.0, 300.0]
    assert reconnect_delay_s(1, 3600.0) == 2.0
