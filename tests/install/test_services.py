"""The processes as runit and systemd are told of them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from senryu.config import Settings, settings
from senryu.install.directories import make_directories
from senryu.install.runit import run_script
from senryu.install.services import flags, preparation, services
from senryu.install.systemd import prepare_unit, unit

_CHECKOUT = Path(__file__).parents[2]
_STARTER = _CHECKOUT / "src/senryu/routers/haproxy/starter.sh"
_STEPS = _CHECKOUT / "install/steps.sh"


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    flags = {"home": tmp_path / "ho me", "port": 80, "tls_port": 443, "domain": "example.com", "database_url": "postgresql://u:secret@h/x"}
    flags["postgres_admin_url"] = "postgres://admin:secret@h/"
    return settings(flags, {})


def test_flags_lead_to_the_same_settings_without_an_environment(tmp_path: Path) -> None:
    where = {"domain": "example.com", "listen": "10.0.0.1", "lan_address": "10.0.0.1"}
    first = settings({"home": tmp_path, "port": 81, "slots": 7, **where}, {})
    given = flags(first)
    parsed = {given[i].removeprefix("--").replace("-", "_"): given[i + 1] for i in range(0, len(given), 2)}
    assert settings(parsed, {}) == first


def test_no_password_is_in_any_command_line(chosen: Settings) -> None:
    told = [unit(service, chosen) + run_script(service, chosen.home) for service in services(chosen)]
    assert "secret" not in "".join(told) + prepare_unit(chosen) + str(preparation(chosen))


def test_only_the_agent_is_root(chosen: Settings) -> None:
    users = {service.name: service.user for service in services(chosen)}
    assert users == {"agent": "root", "router": "senryu-router", "senryud": "senryu"}
    for service in services(chosen):
        script = run_script(service, chosen.home)
        assert ("setpriv --reuid=" in script) == (service.user != "root")
        assert f"User={service.user}\n" in unit(service, chosen)


def test_only_the_router_may_bind_low_ports_and_only_when_it_must(chosen: Settings, tmp_path: Path) -> None:
    high = settings({"home": tmp_path}, {})
    assert [service.name for service in services(chosen) if service.capabilities] == ["router"]
    assert not [service for service in services(high) if service.capabilities]
    [router] = [service for service in services(chosen) if service.name == "router"]
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit(router, chosen)
    assert "--ambient-caps=+net_bind_service" in run_script(router, chosen.home)


def test_the_router_alone_comes_before_other_work(chosen: Settings) -> None:
    sessions = {service.name for service in services(chosen) if "prlimit --nice=30 --pid $$ || true\n" in run_script(service, chosen.home)}
    assert sessions == {"router"}
    first = {service.name for service in services(chosen) if "nice -n -10 setpriv" in run_script(service, chosen.home)}
    assert first == {"router"} == {service.name for service in services(chosen) if "\nNice=-10\nLimitNICE=-10\n" in unit(service, chosen)}


def test_a_restart_of_the_agent_leaves_dynos_alone(chosen: Settings) -> None:
    [agent] = [service for service in services(chosen) if service.name == "agent"]
    assert "KillMode=process" in unit(agent, chosen)
    assert "Delegate=yes" in unit(agent, chosen)


def test_a_killed_starter_of_the_router_leaves_haproxy_serving(chosen: Settings) -> None:
    modes = {service.name: unit(service, chosen).partition("KillMode=")[2].split()[0] for service in services(chosen)}
    assert modes == {"agent": "process", "router": "process", "senryud": "mixed"}
    [router] = [service for service in services(chosen) if service.name == "router"]
    assert "ExecReload=/bin/kill -USR2 $MAINPID\n" in unit(router, chosen) and "Delegate" not in unit(router, chosen)


@pytest.mark.parametrize(("there", "is_replaced"), [(("old",), True), (("new",), False), (("old", "new"), False), (("other",), False)])
def test_a_router_is_replaced_when_none_of_its_haproxys_is_the_installed_program(
    tmp_path: Path, there: tuple[str, ...], is_replaced: bool
) -> None:
    (tmp_path / "router").mkdir()
    config = tmp_path / "router" / "haproxy.cfg"
    config.touch()
    with contextlib.ExitStack() as stack:
        for name in there:
            program = tmp_path / name / "haproxy"
            program.parent.mkdir()
            shutil.copyfile(shutil.which("tail") or "", program)  # stands there with the same arguments
            program.chmod(0o755)
            watched = tmp_path / "other.cfg" if name == "other" else config
            watched.touch()
            stack.callback(_ended, subprocess.Popen([program, "-f", watched]))
            if name != "new":
                program.unlink()
        told = f"set -eu; export SENRYU_HOME='{tmp_path}'; . '{_STEPS}'; sv() {{ echo \"sv $*\" >&2; }}; renew_router"
        done = subprocess.run(["/bin/bash", "-c", told], capture_output=True, text=True, timeout=20, check=True)
    assert ("Replacing the router" in done.stdout) == is_replaced
    assert done.stderr == (f"sv 2 {tmp_path}/services/router\n" if is_replaced else "")


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)


def test_scripts_are_shell_with_every_word_quoted(chosen: Settings) -> None:
    for service in services(chosen):
        script = run_script(service, chosen.home)
        assert script.startswith("#!/bin/sh\n")
        assert script.splitlines()[-1].startswith("exec ")
        subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=True, timeout=10)
        assert "ho me'" in script or "'ho me" in script or "ho me/" in script


def _users_are_there() -> bool:
    try:
        return bool(pwd.getpwnam("senryu") and pwd.getpwnam("senryu-router"))
    except KeyError:
        return False


@pytest.fixture
def home() -> Iterator[Path]:
    """With the directories of an installation."""
    place = Path(tempfile.mkdtemp(prefix="si-", dir="/var/tmp"))
    try:
        make_directories(settings({"home": place}, {}))
        yield place
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0 or not _users_are_there(), reason="needs root and the platform's users")
def test_a_link_in_place_of_the_request_log_leads_root_nowhere(home: Path) -> None:
    """It is in a directory of `senryu`'s; who starts the router is root."""
    [router] = [service for service in services(settings({"home": home}, {})) if service.name == "router"]
    assert router.argv == ("/bin/sh", str(_STARTER), str(home))
    starter = home / "starter.sh"  # its own may be where only a developer reads
    starter.write_text(_STARTER.read_text().replace("/usr/sbin/haproxy", str(home / "haproxy")))
    (home / "haproxy").write_text('#!/bin/sh\necho "haproxy $@" >&6\n')  # it ends at once, the starter with it
    (home / "haproxy").chmod(0o755)
    script = run_script(router, home).replace(str(_STARTER), str(starter))
    log, made = home / "router" / "requests.log", home / "made"
    log.unlink(missing_ok=True)
    subprocess.run(["ln", "-s", made, log], user="senryu", group="senryu", extra_groups=[], check=True, timeout=10)
    make_directories(settings({"home": home}, {}))
    started = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert not made.exists() and started.returncode not in (0, 1)
    assert "StandardOutput" not in unit(router, settings({"home": home}, {})), "systemd would open it as root"
    log.unlink()
    for _ in range(2):
        started = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=20, check=False)
        assert started.returncode == 1, started.stderr
    assert log.read_text().count("haproxy.cfg") == 2
    assert log.stat().st_uid == pwd.getpwnam("senryu-router").pw_uid and log.stat().st_mode & 0o777 == 0o660
    pipe = (home / "run" / "router.reload").stat()
    assert stat.S_ISFIFO(pipe.st_mode) and pipe.st_mode & 0o777 == 0o660 and pipe.st_gid == pwd.getpwnam("senryu").pw_gid


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    plain = settings({"home": tmp_path / "home", "port": 80}, {})
    (tmp_path / "home" / "router").mkdir(parents=True)
    paths = [tmp_path / "senryu-prepare.service"]
    paths[0].write_text(prepare_unit(plain))
    for service in services(plain):
        name = service.name if service.name == "senryud" else f"senryu-{service.name}"
        paths.append(tmp_path / f"{name}.service")
        paths[-1].write_text(unit(service, plain))
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "senryu" in line]
    assert not [line for line in complaints if "Unknown" in line or "Invalid" in line or "Failed to parse" in line], complaints
