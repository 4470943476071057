from __future__ import annotations

import json
from pathlib import Path

import pytest

from senryu.cli.config_edit import as_lines, changes, from_lines

from .conftest import Senryu
from .fake_api import FakeApi, release

VARS = {"LONG_NAME": "two words", "B": "2", "QUOTED": "it's\nmulti"}
NEWEST = "GET /apps/myapp/releases"


@pytest.fixture
def api_with_vars(api: FakeApi) -> FakeApi:
    api.on("GET /apps/myapp/config-vars", VARS)
    api.on("PATCH /apps/myapp/config-vars", lambda request: _merged(request.json))
    api.on(NEWEST, [release(7)], 206)
    return api


def _merged(changed: dict[str, str | None]) -> object:
    from .fake_api import Reply

    return Reply({key: value for key, value in (VARS | changed).items() if value is not None})


def test_config_lists_the_variables_sorted_and_aligned(api_with_vars: FakeApi, senryu: Senryu) -> None:
    api_with_vars.on("GET /apps/myapp/config-vars", {"LONG_NAME": "two words", "B": "2"})
    assert senryu("config", "-a", "myapp").out == "=== ⬢ myapp Config Vars\n\nB:         2\nLONG_NAME: two words\n"


def test_config_prints_for_shells_and_programs(api_with_vars: FakeApi, senryu: Senryu) -> None:
    assert senryu("config", "-a", "myapp", "--shell").out.startswith("B=2\nLONG_NAME='two words'\n")
    assert json.loads(senryu("config", "-a", "myapp", "--json").out) == VARS


def test_get_prints_the_bare_value(api_with_vars: FakeApi, senryu: Senryu) -> None:
    assert senryu("config:get", "B", "-a", "myapp").out == "2\n"
    assert senryu("config:get", "LONG_NAME", "-s", "-a", "myapp").out == "LONG_NAME='two words'\n"


def test_get_of_a_missing_variable_prints_nothing_and_fails(api_with_vars: FakeApi, senryu: Senryu) -> None:
    result = senryu("config:get", "NOPE", "-a", "myapp")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error: ⬢ myapp has no config var `NOPE`")


def test_set_sends_the_variables_and_names_the_release(api_with_vars: FakeApi, senryu: Senryu) -> None:
    result = senryu("config:set", "A=1", "URL=postgres://u:p@h/db?x=y", "EMPTY=", "-a", "myapp")
    assert result.err == "Setting A, URL, EMPTY and restarting ⬢ myapp... done, v7\n"
    assert result.out == "A:     1\nURL:   postgres://u:p@h/db?x=y\nEMPTY: \n"
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars")[0].json == {"A": "1", "URL": "postgres://u:p@h/db?x=y", "EMPTY": ""}
    assert api_with_vars.asked(NEWEST)[0].headers["Range"] == "version ..; order=desc,max=1"


@pytest.mark.parametrize("word", ["A", "=1", " =1"])
def test_set_refuses_what_is_no_assignment(word: str, api_with_vars: FakeApi, senryu: Senryu) -> None:
    result = senryu("config:set", word, "-a", "myapp")
    assert (result.status, api_with_vars.requests) == (1, [])
    assert f"`{word}` is no config var" in result.err


def test_a_change_streams_its_release_command_and_fails_with_it(api_with_vars: FakeApi, senryu: Senryu) -> None:
    api = api_with_vars
    for status, words in (("failed", ["config:set", "A=1"]), ("succeeded", ["config:unset", "B"])):
        api.on(NEWEST, [release(7, status="pending", output_stream_url=f"{api.url}/out")], 206)
        api.on("GET /out", chunks=[b"migrating\n"])
        api.on("GET /apps/myapp/releases/7", release(7, status=status))
        result = senryu(*words, "-a", "myapp")
        assert result.status == (2 if status == "failed" else 0)
        assert result.out == ("A: 1\n" if status == "failed" else "")
        assert "Running release command...\nmigrating\n" in result.err
        assert ("v7 failed: its release command failed; myapp keeps the release before it" in result.err) is (status == "failed")


def test_unset_sends_null(api_with_vars: FakeApi, senryu: Senryu) -> None:
    assert senryu("config:unset", "B", "-a", "myapp").err == "Unsetting B and restarting ⬢ myapp... done, v7\n"
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars")[0].json == {"B": None}


@pytest.mark.parametrize("values", [{}, VARS, {"A": ""}, {"A": "$(x) `y` \\ \" ' #"}])
def test_what_the_editor_shows_reads_back_as_it_was(values: dict[str, str]) -> None:
    assert from_lines(as_lines(values)) == values


def test_changes_name_what_is_new_changed_and_gone() -> None:
    assert changes({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "3", "D": "4"}) == {"B": "3", "C": None, "D": "4"}


def editor(folder: Path, script: str) -> str:
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_edit_sends_only_what_changed(api_with_vars: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, "sed -i -e '/^B=/d' -e '$aNEW=1' \"$1\""))
    result = senryu("config:edit", "-a", "myapp")
    assert (result.status, result.err) == (0, "Updating B, NEW and restarting ⬢ myapp... done, v7\n")
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars")[0].json == {"B": None, "NEW": "1"}


def test_edit_of_one_variable(api_with_vars: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, "printf 'new value\\n' >\"$1\""))
    senryu("config:edit", "B", "-a", "myapp")
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars")[0].json == {"B": "new value"}


@pytest.mark.parametrize(
    ("script", "message"),
    [("exit 3", "ended with status 3"), ("echo \"A='\" >\"$1\"", "cannot be read"), ("echo stray >\"$1\"", "`stray` is no `KEY=value`")],
)
def test_a_failed_edit_changes_nothing(
    script: str, message: str, api_with_vars: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, script))
    result = senryu("config:edit", "-a", "myapp")
    assert result.status == 1 and message in result.err
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars") == []


def test_an_edit_does_not_overwrite_someone_else(
    api_with_vars: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_with_vars.then("GET /apps/myapp/config-vars", VARS | {"OTHER": "1"})
    monkeypatch.setenv("EDITOR", editor(tmp_path, "echo NEW=1 >>\"$1\""))
    assert "changed by someone else meanwhile" in senryu("config:edit", "-a", "myapp").err
    assert api_with_vars.asked("PATCH /apps/myapp/config-vars") == []
