from __future__ import annotations

import pytest

from senryu.cli.logs import Paints, events

from .conftest import Senryu
from .fake_api import FakeApi, Reply, Request

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
SESSION = "POST /apps/myapp/log-sessions"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("senryu.cli.logs.time.sleep", waited.append)
    return waited


@pytest.fixture
def logs(api: FakeApi, pauses: list[float]) -> FakeApi:
    api.on(SESSION, {"logplex_url": f"{api.url}/logs/abc?sig=1"}, 201)
    return api


def test_events_are_read_as_the_standard_says() -> None:
    lines = [b": ping\n", b"id: 7\n", b"data: one\r\n", b"data:two\n", b"event: x\n", b"\n", b"retry: 1500\n", b"\n", b"data: cut off\n"]
    found = [(event.id, event.data, event.retry_s) for event in events(lines)]
    assert found == [("7", ["one", "two"], None), (None, [], 1.5)]


def test_history_is_printed_and_the_stream_ends(logs: FakeApi, senryu: Senryu) -> None:
    logs.on("GET /logs/abc?sig=1", chunks=[b": ping\n\nid: 1\nda", b"ta: first\n\nid: 2\ndata: second \xff\n\n"], headers=STREAM)
    result = senryu("logs", "-a", "myapp")
    assert (result.status, result.out, result.err) == (0, "first\nsecond \ufffd\n", "")
    assert logs.asked(SESSION)[0].json == {"lines": 100, "tail": False}
    stream = logs.asked("GET /logs/abc?sig=1")[0]
    assert stream.headers["Accept"] == "text/event-stream"
    assert "Authorization" not in stream.headers


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["-n", "1500"], {"lines": 1500, "tail": False}),
        (["-d", "web.1", "--source", "app"], {"lines": 100, "tail": False, "dyno": "web.1", "source": "app"}),
        (["-p", "web"], {"lines": 100, "tail": False, "dyno": "web"}),
        (["--ps", "web"], {"lines": 100, "tail": False, "dyno": "web"}),
    ],
)
def test_filters_are_sent(words: list[str], body: dict[str, object], logs: FakeApi, senryu: Senryu) -> None:
    logs.on("GET /logs/abc?sig=1", chunks=[], headers=STREAM)
    assert senryu("logs", "-a", "myapp", *words).status == 0
    assert logs.asked(SESSION)[0].json == body


def test_tail_goes_on_after_the_last_line_it_has_seen(logs: FakeApi, senryu: Senryu, pauses: list[float]) -> None:
    logs.on("GET /logs/abc?sig=1", chunks=[b"retry: 250\n\nid: 41\ndata: first\n\n"], headers=STREAM)
    logs.then("GET /logs/abc?sig=1", chunks=[b"id: 42\ndata: second\n\nid: 43\ndata: half"], headers=STREAM, cut=True)
    logs.then("GET /logs/abc?sig=1", status=503)
    logs.then("GET /logs/abc?sig=1", chunks=[b"id: 43\ndata: half and whole\n\n"], headers=STREAM)
    logs.then("GET /logs/abc?sig=1", status=404)
    result = senryu("logs", "--tail", "-a", "myapp")
    assert result.out == "first\nsecond\nhalf and whole\n"
    assert (result.status, result.err.splitlines()[0]) == (2, "error: The log session is over")
    assert [request.headers.get("Last-Event-ID") for request in logs.asked("GET /logs/abc?sig=1")] == [None, "41", "42", "42", "43"]
    assert pauses == [0.25] * 4
    assert len(logs.asked(SESSION)) == 1


def test_without_tail_a_stream_that_breaks_off_is_an_error(logs: FakeApi, senryu: Senryu) -> None:
    logs.on("GET /logs/abc?sig=1", chunks=[b"id: 1\ndata: first\n\n"], headers=STREAM, cut=True)
    result = senryu("logs", "-a", "myapp")
    assert (result.status, result.out) == (2, "first\n")
    assert result.err.startswith("error: The log stream broke off")


@pytest.mark.parametrize(("status", "kind"), [(204, "text/event-stream"), (200, "text/html"), (500, "text/plain")])
def test_an_answer_that_is_no_stream_is_an_error(status: int, kind: str, logs: FakeApi, senryu: Senryu) -> None:
    logs.on("GET /logs/abc?sig=1", b"", status, headers={"Content-Type": kind})
    assert senryu("logs", "-a", "myapp").status == 2


def test_an_interrupt_ends_the_tail(logs: FakeApi, senryu: Senryu) -> None:
    def interrupted(request: Request) -> Reply:
        return Reply(chunks=[b"data: x\n\n"], headers=STREAM)

    logs.on("GET /logs/abc?sig=1", interrupted)

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("senryu.cli.logs.time.sleep", stop)
        assert senryu("logs", "-t", "-a", "myapp").status == 130


def test_a_dyno_and_a_process_type_exclude_each_other(logs: FakeApi, senryu: Senryu) -> None:
    result = senryu("logs", "-a", "myapp", "-d", "web.1", "-p", "web")
    assert (result.status, logs.requests) == (1, [])


def test_colour_marks_the_head_by_the_kind_of_dyno(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("senryu.cli.output.has_colour", lambda stream: True)
    paints = Paints(True)
    head = "2026-01-02T03:04:05.000000+00:00 app[web.1]:"
    assert paints.line(f"{head} hello") == f"\x1b[36m{head}\x1b[0m hello"
    assert paints.line("2026 heroku[router]: at=error code=H10 x").endswith(" at=error\x1b[31m code=H10\x1b[0m x")
    assert paints.line("no head") == "no head"
    assert Paints(False).line(f"{head} hello") == f"{head} hello"
