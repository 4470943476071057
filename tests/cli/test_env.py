"""`senryu env` and `senryu heroku`: what they print and write, and that a real shell and a real git understand it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from authorities.rig import certificate

from .conftest import CHECKOUT, Senryu
from .fake_api import TOKEN, FakeApi

_PEM = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HEROKU_")]:
        monkeypatch.delenv(name)
    for name in ("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL", "DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SENRYU_TLS_PORT", "9999")


@pytest.fixture
def platform(api: FakeApi) -> FakeApi:
    api.on("GET /senryu/ca.pem", _PEM.encode())
    return api


def in_shell(script: str) -> dict[str, str]:
    """The environment after a script that evaluates what is printed."""
    senryu = CHECKOUT / "bin/senryu"
    done = subprocess.run(
        ["bash", "-c", script.replace("SENRYU", str(senryu)) + "\nenv -0"], capture_output=True, text=True, timeout=60, check=True
    )
    return dict(item.split("=", 1) for item in done.stdout.split("\0") if "=" in item)


def test_a_shell_gets_the_platforms_tls_address_the_token_and_the_switches(platform: FakeApi) -> None:
    found = in_shell('eval "$(SENRYU env)"')
    assert found["HEROKU_HOST"] == found["HEROKU_LOGIN_HOST"] == found["HEROKU_PARTICLEBOARD_URL"] == "https://localhost:9999"
    assert (found["HEROKU_DATA_HOST"], found["HEROKU_API_KEY"]) == ("localhost", TOKEN)
    assert (found["DISABLE_TELEMETRY"], found["HEROKU_DISABLE_AUTOUPDATE"], found["HEROKU_NETRC_WRITE"]) == ("true", "1", "true")
    assert Path(found["NODE_EXTRA_CA_CERTS"]).read_text() == _PEM


def test_unset_puts_back_what_was_there_before(platform: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tmp_path / "before.pem"
    before.write_text("theirs\n")
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(before))
    monkeypatch.setenv("GIT_SSL_CAINFO", str(before))
    monkeypatch.setenv("HEROKU_API_KEY", "of-heroku")
    start = in_shell("true")
    during = in_shell('eval "$(SENRYU env)"; eval "$(SENRYU env)"')
    assert Path(during["NODE_EXTRA_CA_CERTS"]).read_text() == "theirs\n" + _PEM
    assert Path(during["GIT_SSL_CAINFO"]).read_text() == "theirs\n" + _PEM
    after = in_shell('eval "$(SENRYU env)"; eval "$(SENRYU env)"; eval "$(SENRYU env --unset)"')
    assert {name: value for name, value in after.items() if name != "_"} == {name: value for name, value in start.items() if name != "_"}


def test_git_reads_the_persons_settings_and_two_of_ours(platform: FakeApi, home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n")
    script = 'eval "$(SENRYU env)"; git config --global other.key x; NAME=$(git config user.name)'
    found = in_shell(f'{script}; export NAME CA=$(git config --get-urlmatch http.sslCAInfo https://localhost:9999/a.git)')
    assert found["NAME"] == "Ada"
    assert Path(found["CA"]).read_text() == _PEM
    assert (home / ".gitconfig").read_text() == "[user]\n\tname = Ada\n"


def test_the_token_can_be_left_out(platform: FakeApi, senryu: Senryu) -> None:
    assert "HEROKU_API_KEY" not in senryu("env", "--no-key").out


def test_a_platform_elsewhere_is_refused_with_the_way_round(senryu: Senryu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(certificate("Some CA", is_ca=True)[0])
    monkeypatch.setenv("SENRYU_URL", "https://paas.example.com")
    result = senryu("env", "--ca", str(tmp_path / "ca.pem"))
    assert result.status == 1
    assert "accepts a platform on localhost only" in result.err
    assert "senryu tunnel" in result.err
    monkeypatch.setenv("SENRYU_URL", "http://paas.example.com")
    assert "TLS address" in senryu("tunnel").err


def test_heroku_runs_the_official_program_and_gives_its_status(
    platform: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/heroku"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$HEROKU_HOST $*"\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    result = senryu("heroku", "--", "apps:info", "--app", "mine")
    assert (result.status, result.out) == (7, "https://localhost:9999 apps:info --app mine\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm install -g heroku" in senryu("heroku", "--", "apps").err
