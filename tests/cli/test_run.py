from __future__ import annotations

import hashlib
import os
import signal
import ssl
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from senryu.cli.exit_status import MARK, Output, marked
from senryu.cli.failure import Failure
from senryu.cli.run import command_line, environment

from .conftest import Senryu
from .fake_api import FakeApi, Reply, Request, dyno
from .fake_rendezvous import Rendezvous, authority
from .terminal import ENTRY, PATIENCE_S, Terminal


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    return authority(tmp_path_factory.mktemp("tls"))


class Platform:
    """The fake API with a real TLS stream behind `POST …/dynos`."""

    def __init__(self, api: FakeApi, tls: tuple[str, ssl.SSLContext]) -> None:
        self.api = api
        self.pem, self.context = tls
        api.on("GET /senryu/ca.pem", self.pem.encode(), headers={"Content-Type": "application/x-pem-file"})

    @contextmanager
    def dyno(self, command: str, mode: str, path: str = "/apps/myapp/dynos", **answer: Any) -> Iterator[Rendezvous]:
        with Rendezvous(self.context, command, mode) as far:
            body = dyno("run.1234", attach_url=far.url, **answer)
            if mode == "framed":
                body["stdin"] = "framed"
            self.api.on(f"POST {path}", body, 201)
            self.api.on("GET /apps/myapp/dynos/run.1234", lambda request: Reply({"name": "run.1234", "exit_code": far.exit_code}))
            yield far


@pytest.fixture
def platform(api: FakeApi, tls: tuple[str, ssl.SSLContext]) -> Platform:
    return Platform(api, tls)


def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*ENTRY, *words], input=stdin, capture_output=True, timeout=60, check=False)


def test_the_command_is_sent_and_its_output_printed(platform: Platform) -> None:
    with platform.dyno("echo out; echo err >&2", "framed"):
        done = run("run", "-a", "myapp", "--size", "standard-2x", "--env", "A=1;B=x=y", "echo", "two words")
    assert (done.returncode, done.stdout) == (0, b"out\nerr\n")
    assert done.stderr.decode() == 'Running echo "two words" on ⬢ myapp... up, run.1234 (Standard-1X)\n'
    assert platform.api.asked("POST /apps/myapp/dynos")[0].json == {
        "attach": True,
        "command": 'echo "two words"',
        "env": {"A": "1", "B": "x=y"},
        "force_no_tty": True,
        "size": "standard-2x",
        "stdin": "framed",
    }


def test_standard_input_passes_every_byte_and_its_end(platform: Platform) -> None:
    content = bytes(range(256)) * 4096
    with platform.dyno("sha256sum", "framed"):
        done = run("run", "-a", "myapp", "sha256sum", stdin=content)
    assert done.stdout.split()[0].decode() == hashlib.sha256(content).hexdigest()


def test_much_input_and_output_at_once_does_not_lock_up(platform: Platform) -> None:
    content = os.urandom(3 * 1024 * 1024)
    with platform.dyno("cat", "framed"):
        done = run("run", "-a", "myapp", "cat", stdin=content)
    assert done.stdout == content


def test_a_command_that_reads_nothing_ends_all_the_same(platform: Platform) -> None:
    with platform.dyno("echo done", "framed"):
        done = run("run", "-a", "myapp", "echo", "done", stdin=b"x" * 4_000_000)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_without_frames_the_end_of_input_is_an_eot_and_crlf_becomes_lf(platform: Platform) -> None:
    with platform.dyno(r"cat; printf 'a\r\nb\r'", "eot"):
        done = run("run", "-a", "myapp", "cat", stdin=b"hello\n")
    assert done.stdout == b"hello\na\nb\r"


@pytest.mark.parametrize("status", [0, 7, 143])
def test_the_exit_status_is_passed_through_when_asked_for(status: int, platform: Platform) -> None:
    with platform.dyno(f"exit {status}", "framed"):
        assert run("run", "-x", "-a", "myapp", "--", "sh", "-c", f"exit {status}").returncode == status
    assert platform.api.asked("POST /apps/myapp/dynos")[0].json["command"] == f'sh -c "exit {status}"'
    with platform.dyno(f"exit {status}", "framed"):
        assert run("run", "-a", "myapp", "false").returncode == 0


def test_the_exit_status_is_waited_for(platform: Platform) -> None:
    with platform.dyno("exit 5", "framed"):
        platform.api.on("GET /apps/myapp/dynos/run.1234", {"exit_code": None})
        platform.api.then("GET /apps/myapp/dynos/run.1234", {"exit_code": 5})
        assert run("run", "--exit-code", "-a", "myapp", "x").returncode == 5


def test_an_exit_status_that_nobody_tells_is_an_error(platform: Platform) -> None:
    with platform.dyno("exit 5", "framed"):
        platform.api.error("GET /apps/myapp/dynos/run.1234", 404, "not_found", "Couldn't find that dyno.")
        done = run("run", "--exit-code", "-a", "myapp", "x")
    assert done.returncode == 2
    assert b"did not tell the exit status of run.1234" in done.stderr


def test_another_platform_tells_the_exit_status_by_a_mark(platform: Platform, tmp_path: Path) -> None:
    platform.api.on("GET /senryu/ca.pem", {"id": "not_found"}, 404)
    (tmp_path / "ca.pem").write_text(platform.pem)
    with pytest.MonkeyPatch.context() as patch, platform.dyno(marked("echo out; exit 9"), "eot"):
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        done = run("run", "-x", "-a", "myapp", "thing")
    assert (done.returncode, done.stdout) == (9, b"out\n")
    assert platform.api.asked("POST /apps/myapp/dynos")[0].json["command"] == marked("thing")


@pytest.mark.parametrize("cut", range(1, len(MARK) + 4))
def test_the_mark_is_found_however_it_is_cut(cut: int) -> None:
    stream = b"out" + MARK + b"12\r\n"
    output = Output(is_marked=True, drops_cr=True)
    shown = b"".join(output(part) for part in (stream[: cut + 3], stream[cut + 3 :]) if part) + output(b"")
    assert (shown, output.status) == (b"out", 12)


def test_a_letter_like_the_mark_is_printed() -> None:
    output = Output(is_marked=True, drops_cr=False)
    text = "a \uffff b \uffef ".encode()
    assert output(text) + output(b"") == text


def test_a_certificate_of_another_authority_is_refused(platform: Platform, tmp_path: Path) -> None:
    other, _ = authority(tmp_path)
    platform.api.on("GET /senryu/ca.pem", other.encode())
    with platform.dyno("echo never", "framed"):
        done = run("run", "-a", "myapp", "x")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"error: Could not attach to the dyno" in done.stderr


def test_a_dyno_that_does_not_start_is_told(platform: Platform) -> None:
    with platform.dyno("true", "framed") as far:
        platform.api.on("POST /apps/myapp/dynos", dyno("run.1", attach_url=far.url.replace("s3cret", "wrong")), 201)
        done = run("run", "-a", "myapp", "x")
    assert (done.returncode, done.stderr.decode().splitlines()[-2]) == (2, "error: The dyno did not start")


@pytest.mark.parametrize(
    ("words", "path", "command"),
    [
        (["ps:exec", "-a", "myapp"], "web.1", "bash"),
        (["ps:exec", "-a", "myapp", "-d", "worker.2"], "worker.2", "bash"),
        (["run:inside", "-a", "myapp", "web.3", "ls", "-la"], "web.3", "ls -la"),
    ],
)
def test_a_command_runs_inside_a_dyno(words: list[str], path: str, command: str, platform: Platform) -> None:
    with platform.dyno("echo inside", "framed", f"/apps/myapp/dynos/{path}"):
        assert run(*words).stdout == b"inside\n"
    assert platform.api.asked(f"POST /apps/myapp/dynos/{path}")[0].json["command"] == command


@pytest.mark.parametrize("words", [["ps:exec", "-d", "web.1", "--"], ["ps:exec", "-x", "-d", "web.1", "--"], ["run:inside", "-x", "web.1"]])
def test_a_command_inside_a_dyno_tells_its_own_exit_status(words: list[str], platform: Platform) -> None:
    with platform.dyno(marked("echo inside; exit 6 # why"), "framed", "/apps/myapp/dynos/web.1"):
        done = run(words[0], "-a", "myapp", *words[1:], "thing")
    assert (done.returncode, done.stdout) == (6, b"inside\n")
    assert platform.api.asked("POST /apps/myapp/dynos/web.1")[0].json["command"] == marked("thing")


def test_detached_prints_how_to_see_the_output(api: FakeApi, senryu: Senryu) -> None:
    api.on("POST /apps/myapp/dynos", dyno("run.77"), 201)
    result = senryu("run:detached", "-a", "myapp", "rake", "db:migrate")
    assert result.err == "Running rake db:migrate on ⬢ myapp... done, run.77\n"
    assert result.out == "Run senryu logs --app myapp --dyno run.77 to view the output.\n"
    assert api.asked("POST /apps/myapp/dynos")[0].json == {"attach": False, "command": "rake db:migrate", "env": {}}


@pytest.mark.parametrize("words", [["run"], ["run:detached"], ["run:inside", "web.1"], ["run", "-e", "A", "ls"]])
def test_what_is_missing_is_said_before_anything_runs(words: list[str], api: FakeApi, senryu: Senryu) -> None:
    assert senryu(*words, "-a", "myapp").status == 1
    assert [request for request in api.requests if request.method == "POST"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [(["a  b"], "a  b"), (["ls", "-la"], "ls -la"), (["echo", "a b", 'say "x"'], 'echo "a b" "say \\"x\\""'), (["a", "&&", "b"], "a && b")],
)
def test_words_are_joined_as_herokus_cli_does(words: list[str], line: str) -> None:
    assert command_line(words) == line


def test_env_that_is_none_is_refused() -> None:
    assert environment(["A=1;B=;C=x=y", "D=4"], False) == {"A": "1", "B": "", "C": "x=y", "D": "4"}
    with pytest.raises(Failure):
        environment(["=x"], False)


def test_a_terminal_gets_a_terminal_with_its_size_and_its_keys(platform: Platform) -> None:
    api = platform.api
    with platform.dyno("stty size; read line; echo got:$line; exit 3", "pty", terminal_id="t1") as far:

        def resized(request: Request) -> Reply:
            far.resize(request.json["columns"], request.json["lines"])
            return Reply({}, 202)

        api.on("POST /apps/myapp/dynos/run.1234/actions/resize", resized)
        with Terminal("run", "-x", "-a", "myapp", "bash") as terminal:
            terminal.until(lambda seen: b"24 80" in seen)
            assert not termios.tcgetattr(terminal.far)[3] & termios.ICANON
            terminal.resize(120, 40)
            deadline = time.monotonic() + PATIENCE_S
            while not api.asked("POST /apps/myapp/dynos/run.1234/actions/resize") and time.monotonic() < deadline:
                time.sleep(0.02)
            terminal.type(b"hello\r")
            assert terminal.end() == 3
            assert b"got:hello" in terminal.seen
            assert termios.tcgetattr(terminal.far) == terminal.before
    assert api.asked("POST /apps/myapp/dynos/run.1234/actions/resize")[0].json == {"columns": 120, "lines": 40, "terminal_id": "t1"}
    posted = api.asked("POST /apps/myapp/dynos")[0].json
    assert posted["env"] == {"TERM": "xterm-256color", "COLUMNS": 90, "LINES": 30}
    assert "stdin" not in posted and "force_no_tty" not in posted


def test_ctrl_c_goes_to_the_command_and_not_to_the_command_line(platform: Platform) -> None:
    script = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done"
    with platform.dyno(script, "pty"), Terminal("run", "-x", "-a", "myapp", "x") as terminal:
        terminal.until(lambda seen: b"ready" in seen)
        terminal.type(b"\x03")
        assert terminal.end() == 4
        assert b"caught" in terminal.seen


def test_four_ctrl_c_at_once_leave_a_dyno_that_hears_nothing(platform: Platform) -> None:
    with platform.dyno("trap '' INT; echo ready; sleep 30", "pty"), Terminal("run", "-a", "myapp", "x") as terminal:
        terminal.until(lambda seen: b"ready" in seen)
        terminal.type(b"\x03\x03\x03\x03")
        assert terminal.end() == 130
        assert termios.tcgetattr(terminal.far) == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_when_the_command_line_is_told_to_end(number: signal.Signals, platform: Platform) -> None:
    with platform.dyno("echo ready; read x", "pty"), Terminal("run", "-a", "myapp", "x") as terminal:
        terminal.until(lambda seen: b"ready" in seen)
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert termios.tcgetattr(terminal.far) == terminal.before


def test_no_tty_asks_for_none_on_a_terminal(platform: Platform) -> None:
    with platform.dyno("echo plain", "framed"), Terminal("run", "--no-tty", "-a", "myapp", "x") as terminal:
        assert terminal.end() == 0
        assert b"plain" in terminal.seen
    assert platform.api.asked("POST /apps/myapp/dynos")[0].json["force_no_tty"] is True
