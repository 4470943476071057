"""run, run:detached, ps:exec. Source: Dev Center, one-off-dynos, exec."""

from __future__ import annotations

import subprocess

from .conftest import NewApp
from .person import PROGRAM, App
from .rig import eventually
from .terminal import TerminalSession


def test_the_exit_status_comes_through_when_asked_for(shared_app: App) -> None:
    assert shared_app.senryu("run", "--exit-code", "exit 42", check=False).returncode == 42
    assert shared_app.senryu("run", "exit 42", check=False).returncode == 0


def test_a_one_off_has_the_releases_code_and_config(shared_app: App) -> None:
    said = shared_app.senryu("run", "cat Procfile; echo $HEROKU_RELEASE_VERSION $DYNO; echo $EXTRA", "--env", "EXTRA=given").stdout
    assert said.startswith("web: python app.py\nv2 run.")
    assert said.endswith("given\n")


def test_bytes_are_piped_in_and_out_unchanged(shared_app: App) -> None:
    sent = bytes(range(256)) * 4096 + b"\r\n\x03\x04\x1a end"
    done = subprocess.run(
        [PROGRAM, "run", "-a", shared_app.name, "cat"],
        input=sent,
        capture_output=True,
        env=shared_app.owner.environment,
        cwd=shared_app.folder,
        timeout=120,
        check=True,
    )
    assert done.stdout == sent


def test_a_terminal_has_a_size_a_prompt_and_ctrl_c(shared_app: App) -> None:
    with TerminalSession([PROGRAM, "run", "-x", "-a", shared_app.name, "bash"], shared_app.owner.environment) as terminal:
        terminal.await_text("$ ")
        terminal.type('echo "$PS1"\r')
        terminal.await_text("\\[\\033[01;34m\\]\\w")
        terminal.type("tty; stty size; id -un\r")
        terminal.await_text("/dev/pts/")
        terminal.await_text("24 80\r\n")
        terminal.resize(101, 33)
        # The size goes to the platform on its own way, so the dyno may hear of it a little later than of the keys.
        terminal.type("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo now $(stty size)\r")
        terminal.await_text("now 33 101\r\n")
        # Said by what Ctrl-C ends: bash forgets one that comes between its fork and its exec.
        terminal.type("sh -c 'echo sleep\"\"ing; exec sleep 1000'\r")
        terminal.await_text("sleeping\r\n")
        terminal.type("\x03")
        terminal.await_text("^C")
        terminal.type("exit 7\r")
        assert terminal.await_end() == 7


def test_a_full_screen_program_draws_on_the_terminal(shared_app: App) -> None:
    with TerminalSession([PROGRAM, "run", "-a", shared_app.name, "python"], shared_app.owner.environment) as terminal:
        terminal.await_text(">>> ")
        terminal.type("import os; os.get_terminal_size()\r")
        terminal.await_text("columns=80, lines=24")
        terminal.type("exit()\r")
        assert terminal.await_end() == 0


def test_a_detached_one_off_writes_to_the_log(shared_app: App) -> None:
    said = shared_app.senryu("run:detached", "echo hello from afar; exit 3").stdout
    dyno = said.split("--dyno ")[1].split()[0]
    log = shared_app.logged("Process exited with status 3", "-n", "1500", "-d", dyno)
    assert f"app[{dyno}]: hello from afar" in log
    assert f"heroku[{dyno}]: Starting process with command `echo hello from afar; exit 3`" in log


def test_an_attached_one_off_shows_in_ps_and_can_be_stopped(shared_app: App) -> None:
    command = [PROGRAM, "run", "-a", shared_app.name, "echo up; sleep 1000"]
    with TerminalSession(command, shared_app.owner.environment) as terminal:
        terminal.await_text("up\r\n")
        [name] = [dyno for dyno in shared_app.states() if dyno.startswith("run.")]
        assert name in shared_app.senryu("ps").stdout
        shared_app.senryu("ps:stop", name)
        terminal.await_end()
    eventually(lambda: name not in shared_app.states(), f"the end of {name}")


def test_exec_runs_inside_the_running_dyno(shared_app: App) -> None:
    said = shared_app.senryu(
        "ps:exec", "-d", "web.1", "--", "sh", "-c", "echo $DYNO; touch /tmp/been-here; tr '\\0' ' ' < /proc/1/cmdline"
    ).stdout
    assert said.startswith("web.1\n")
    assert "python app.py" in said
    for words, status in ((("test", "-e", "/tmp/been-here"), 0), (("test", "-e", "/tmp/nobody"), 1), (("exit 3",), 3)):
        assert shared_app.senryu("ps:exec", "-d", "web.1", "--", *words, check=False).returncode == status, words
    with TerminalSession([PROGRAM, "ps:exec", "-a", shared_app.name], shared_app.owner.environment) as terminal:
        terminal.await_text("$ ")
        terminal.type("echo in $DYNO; exit\r")
        terminal.await_text("in web.1\r\n")
        terminal.await_end()
    refused = shared_app.senryu("ps:exec", "-d", "web.7", "--", "true", check=False)
    assert refused.returncode != 0
    assert "web.7" in refused.stderr


def test_nothing_can_be_run_before_something_is_deployed(make_app: NewApp) -> None:
    app = make_app()
    refused = app.senryu("run", "true", check=False)
    assert refused.returncode != 0
    assert "Nothing is deployed" in refused.stderr
