from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from senryu.cli.failure import Failure
from senryu.cli.local import counts

from .conftest import CHECKOUT, Senryu


def local(*words: str) -> subprocess.CompletedProcess[str]:
    line = [str(CHECKOUT / "bin" / "senryu"), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], {"web": 1, "worker": 1}), (["web=2"], {"web": 2}), (["web,worker=3"], {"web": 1, "worker": 3}), (["release"], {"release": 1})],
)
def test_process_types_and_their_counts(words: list[str], expected: dict[str, int]) -> None:
    assert counts(words, ["release", "web", "worker"]) == expected


@pytest.mark.parametrize("word", ["clock", "web=many", "web=-1"])
def test_a_process_type_that_is_not_there_is_named(word: str) -> None:
    with pytest.raises(Failure):
        counts([word], ["web"])


def test_local_runs_the_procfile_with_the_variables_of_env_but_not_the_release() -> None:
    Path("Procfile").write_text("release: echo never\nweb: echo $DYNO $GREETING $PORT; sleep 1\nworker: echo $DYNO $PORT; sleep 1\n")
    Path(".env").write_text("GREETING=hello\n")
    done = local("local", "--port", "7000")
    assert done.returncode == 0, done.stderr
    assert "web.1 hello 7000" in done.stdout
    assert "worker.1 7100" in done.stdout
    assert "never" not in done.stdout


def test_local_ends_with_the_status_of_the_first_that_ends() -> None:
    Path("Other").write_text("web: exit 3\n")
    assert local("local", "-f", "Other").returncode == 3


def test_local_run_passes_variables_arguments_and_the_status() -> None:
    Path("vars").write_text("GREETING=hello\n")
    done = local("local:run", "-e", "vars", "sh", "-c", 'echo "$GREETING $1"; exit 4', "-", "two words")
    assert (done.stdout, done.returncode) == ("hello two words\n", 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["local"], "There is no `Procfile` here"),
        (["local:run", "-e", "nope", "true"], "There is no `nope` here"),
        (["local:run", "no-such-program-here", "x"], "`no-such-program-here` is not installed here"),
        (["local:run"], "What is to be run?"),
    ],
)
def test_what_is_missing_is_named(words: list[str], message: str, senryu: Senryu) -> None:
    result = senryu(*words)
    assert result.status != 0 and message in result.err


def test_local_version(senryu: Senryu) -> None:
    assert senryu("local:version").out.startswith("honcho ")
