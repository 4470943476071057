"""Settings: which source wins, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from senryu.command import main
from senryu.config import SETTINGS, settings
from senryu.core.errors import Invalid


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    home = {"home": str(tmp_path)}
    assert settings(home, {}).port == 8080
    (tmp_path / "senryu.toml").write_text("port = 1001\n")
    assert settings(home, {}).port == 1001
    assert settings(home, {"SENRYU_PORT": "1002"}).port == 1002
    assert settings({**home, "port": "1003"}, {"SENRYU_PORT": "1002"}).port == 1003
    assert settings({**home, "port": None}, {"SENRYU_PORT": ""}).port == 1001


def test_the_home_is_found_by_flag_or_environment_and_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings({"home": "here"}, {}).home == tmp_path / "here"
    assert settings({}, {"SENRYU_HOME": "/x/y"}).home == Path("/x/y")
    assert settings({}, {}).home == Path("/var/lib/senryu")


def test_what_follows_from_others_follows(tmp_path: Path) -> None:
    found = settings({"home": tmp_path, "tls_port": 443, "port": 80, "domain": "apps.example.com", "default_size": "basic"}, {})
    assert found.rendezvous_port == 1443
    assert found.database_url == f"sqlite:///{tmp_path}/db/senryu.db"
    assert found.default_size == "Basic"
    assert found.web_url("x") == "http://x.apps.example.com/"
    assert settings({"home": tmp_path, "tls_port": 65000}, {}).rendezvous_port == 64000
    assert settings({"home": tmp_path, "rendezvous_port": 7}, {}).rendezvous_port == 7


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("colour = 1", "unknown setting `colour`"),
        ("port = ", "not valid TOML"),
        ("port = 70000", "`port`"),
        ("port = -1", "`port`"),
        ("port = true", "`port`"),
        ('port = "web"', "`port`"),
        ('domain = "Two Words"', "`domain`"),
        ('domain = "x\\ny"', "`domain`"),
        ('domain = ""', "`domain`"),
        ('lan_address = "8.8.8.8"', "`lan_address`"),
        ('default_size = "huge"', "huge"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, written: str, words: str) -> None:
    (tmp_path / "senryu.toml").write_text(written)
    with pytest.raises(Invalid) as refused:
        settings({"home": tmp_path}, {})
    assert words in refused.value.message


def test_a_wrong_value_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    for flags, environment, where in (({"port": "x"}, {}, "(flag)"), ({}, {"SENRYU_PORT": "x"}, "(SENRYU_PORT)")):
        with pytest.raises(Invalid) as refused:
            settings({"home": tmp_path, **flags}, environment)
        assert where in refused.value.message


def test_a_file_that_is_no_text_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "senryu.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="not valid TOML"):
        settings({"home": tmp_path}, {})


def test_the_command_prints_every_setting_and_one_sentence_for_a_wrong_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "--port", "1234", "config"]) == 0
    printed = capsys.readouterr().out
    assert "port = 1234" in printed
    assert all(f"{name} = " in printed for name in SETTINGS)
    assert main(["--home", str(tmp_path), "--port", "many", "config"]) == 1
    problem = capsys.readouterr().err
    assert problem.startswith("senryud: ") and problem.count("\n") == 1


def test_a_database_url_that_services_would_not_see_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql+asyncpg://u:secret@db/x"
    assert main(["--home", str(tmp_path), "--database-url", url, "install", "--systemd", "--units-dir", str(tmp_path)]) == 1
    problem = capsys.readouterr().err
    assert "senryu.toml" in problem
    assert "secret" not in problem
