from __future__ import annotations

import pytest

from senryu.cli.arguments import Command, Flag, Typed, parse
from senryu.cli.failure import Failure


def nothing(typed: Typed) -> None:
    pass


FLAGS = (Flag("app", "a", "APP"), Flag("json", "j"), Flag("tail", "t"), Flag("env", "e", "ENV", many=True))
PLAIN = Command(nothing, "[NAME...]", FLAGS, most=None)
LOOSE = Command(nothing, "COMMAND...", FLAGS, most=None, loose=True)


@pytest.mark.parametrize(
    ("line", "app", "args"),
    [
        ("", None, []),
        ("-a myapp", "myapp", []),
        ("-amyapp", "myapp", []),
        ("--app myapp", "myapp", []),
        ("--app=myapp one", "myapp", ["one"]),
        ("one --app myapp two", "myapp", ["one", "two"]),
        ("--app first --app second", "second", []),
        ("one -- --app myapp", None, ["one", "--app", "myapp"]),
        ("-", None, ["-"]),
        ("--app= x", "", ["x"]),
    ],
)
def test_flags_and_arguments_stand_in_any_order(line: str, app: str | None, args: list[str]) -> None:
    typed = parse("x", PLAIN, line.split())
    assert (typed.text("app"), typed.args) == (app, args)


def test_switches_may_be_run_together() -> None:
    typed = parse("x", PLAIN, ["-jt"])
    assert typed.on("json") and typed.on("tail")


def test_a_repeated_flag_gives_all_its_values() -> None:
    assert parse("x", PLAIN, ["-e", "A=1", "--env=B=2"]).texts("env") == ["A=1", "B=2"]


@pytest.mark.parametrize(
    ("words", "args", "app"),
    [
        (["ls", "-la"], ["ls", "-la"], None),
        (["ls", "-al"], ["ls", "-al"], None),
        (["python", "-c", "x"], ["python", "-c", "x"], None),
        (["rake", "db:migrate", "-a", "myapp"], ["rake", "db:migrate"], "myapp"),
        (["-a", "myapp", "--", "ls", "-a", "x"], ["ls", "-a", "x"], "myapp"),
        (["rails", "--version"], ["rails", "--version"], None),
        (["rails", "--help"], ["rails", "--help"], None),
    ],
)
def test_flags_that_run_does_not_know_belong_to_the_command(words: list[str], args: list[str], app: str | None) -> None:
    typed = parse("run", LOOSE, words)
    assert (typed.args, typed.text("app")) == (args, app)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--appp", "x"], "`senryu x` has no flag `--appp`"),
        (["-z"], "`senryu x` has no flag `-z`"),
        (["--app"], "`--app` needs a value: APP"),
        (["--json=yes"], "`--json` takes no value, but got `yes`"),
    ],
)
def test_a_wrong_flag_is_named(words: list[str], message: str) -> None:
    with pytest.raises(Failure) as caught:
        parse("x", PLAIN, words)
    assert (caught.value.message, caught.value.status) == (message, 1)


def test_a_misspelt_flag_gets_the_nearest_as_hint() -> None:
    with pytest.raises(Failure) as caught:
        parse("x", PLAIN, ["--jsn"])
    assert caught.value.hint == "Did you mean `--json`?"


def test_a_flag_that_is_for_somebody_else_gets_the_dashes_as_hint() -> None:
    command = Command(nothing, "PLAN [-- --OPTION=VALUE ...]", FLAGS, most=None)
    with pytest.raises(Failure) as caught:
        parse("x", command, ["db", "--fork", "DATABASE"])
    assert caught.value.hint == "If it is not for `senryu x` itself, write it after `--`: `… -- --fork`"


def test_too_few_and_too_many_arguments_are_refused() -> None:
    command = Command(nothing, "NAME", least=1, most=1, examples=("x one",))
    with pytest.raises(Failure, match="needs NAME"):
        parse("x", command, [])
    with pytest.raises(Failure, match="does not take `two`"):
        parse("x", command, ["one", "two"])


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "²", ""])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(Failure, match="takes a whole number"):
        Typed("logs", {"num": [value]}, []).number("num", 100)
