"""What a dyno finds around it, and what it does not. Source: Dev Center, dynos, dyno-metadata."""

from __future__ import annotations

import socket
import threading

import pytest

from .person import App

# (what, a command that must fail or say nothing)
CLOSED = (
    ("root's home", "ls -A /root"),
    ("people's homes", "ls -A /home"),
    ("passwords", "cat /etc/shadow"),
    ("the platform's home", "ls -A /var/lib"),
    ("the agent's socket", "ls -A /run/senryu-lots; find /run -name '*.sock'"),
    ("processes of others", "ps -eo user= | grep -v dyno"),
    ("the stack, to write", "touch /usr/x /etc/x /x"),
    ("another user", "su root -c id; sudo -n id"),
    ("capabilities", "grep -E '^Cap(Eff|Prm|Bnd|Amb|Inh)' /proc/self/status | grep -v '0000000000000000$'"),
    ("new privileges", "grep NoNewPrivs /proc/self/status | grep -v 1"),
    ("file systems", "mount -t tmpfs none /mnt; unshare -m true"),
)


def said(app: App, command: str) -> str:
    """What a one-off prints on stdout."""
    return app.senryu("run", command).stdout


def test_a_dyno_finds_herokus_environment(shared_app: App) -> None:
    lines = said(shared_app, "env").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["DYNO"].startswith("run.")
    assert found["PS"] == found["DYNO"]
    assert found["HOME"] == found["PWD"] == "/app"
    assert 1024 < int(found["PORT"]) < 65536
    assert found["HEROKU_APP_NAME"] == shared_app.name
    assert found["HEROKU_APP_ID"] == shared_app.id()
    assert found["HEROKU_RELEASE_VERSION"] == "v2"
    assert found["HEROKU_SLUG_COMMIT"] == shared_app.git("rev-parse", "HEAD").stdout.strip()
    assert found["PATH"].startswith("/app/.heroku/python/bin:")
    assert not [name for name in found if "SENRYU" in name or "SECRET" in name or "TOKEN" in name]


def test_a_dyno_is_nobody_in_its_own_house(shared_app: App) -> None:
    uid, name, folder, count = said(shared_app, "id -u; id -un; pwd; ls /app | wc -l").split()
    assert int(uid) >= 2_000_000
    assert (name, folder) == ("dyno", "/app")
    assert int(count) >= 3
    assert said(shared_app, "echo x > /app/y && cat /app/y && echo z > /tmp/z && cat /tmp/z") == "x\nz\n"
    assert said(shared_app, "ls /app/y /tmp/z 2>/dev/null") == ""


@pytest.mark.parametrize(("what", "command"), CLOSED, ids=[what for what, _ in CLOSED])
def test_a_dyno_does_not_reach(shared_app: App, what: str, command: str) -> None:
    assert said(shared_app, f"({command}) 2>/dev/null || true") == ""


def test_a_dyno_reaches_no_other_dyno_and_no_port_of_the_machine(shared_app: App) -> None:
    inside = shared_app.senryu("ps:exec", "--", "sh", "-c", "hostname -I; echo $PORT").stdout.split()
    address, web_port = inside[0], inside[-1]
    gateway = said(shared_app, "ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'").strip()
    with socket.create_server(("0.0.0.0", 0)) as listener:
        open_port = listener.getsockname()[1]
        threading.Thread(target=_refuse_nobody, args=(listener,), daemon=True).start()
        socket.create_connection((gateway, open_port), 5).close()  # it is open indeed
        places = [
            f"{address} {web_port}",
            f"{gateway} {open_port}",
            f"{gateway} {shared_app.copy.port}",
            f"127.0.0.1 {shared_app.copy.port}",
            "169.254.169.254 80",
        ]
        script = "".join(
            f"timeout 2 bash -c '</dev/tcp/{place.replace(' ', '/')}' 2>/dev/null && echo reached {place} &" for place in places
        )
        assert said(shared_app, f"{script} wait; echo tried") == "tried\n"
    assert shared_app.visit().status == 200


def _refuse_nobody(listener: socket.socket) -> None:
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        return
