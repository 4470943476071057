"""A complete copy of the platform in a private home, under runit, as `./quickstart` makes it; and patience for what it does."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

from .traces import lot_of, traces

CHECKOUT = Path(__file__).parents[2]
SERVICES = ("senryud", "router", "agent")
PATIENCE_S = 45.0
SLOWNESS = float(os.environ.get("SENRYU_TEST_SLOWNESS", "1"))  # how much longer everything may take: on an emulated machine (tests/vm)
_PACKAGES = CHECKOUT / ".venv/lib/python3.11/site-packages"
_IMPORTS = "import senryu.serve, senryu.agent.command, senryu.install.prepare, senryu.store.migrate"
_CLAIMS = Path("/run/lock/senryu-test-ports")
_claimed: list[TextIO] = []

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str = "", within_s: float = PATIENCE_S) -> T:
    """Looks until the answer is true, and gives it. Fails with the last answer."""
    deadline = time.monotonic() + within_s * SLOWNESS
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not happen within {within_s * SLOWNESS:.0f} s; at last: {seen!r}")
        time.sleep(0.1)
    return seen


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, on both loopback addresses; no other session gets them while this one lives."""
    _CLAIMS.mkdir(exist_ok=True)
    found: list[int] = []
    for port in random.sample(range(19_000, 19_400), 400):
        claim = (_CLAIMS / str(port)).open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("::1", port), family=socket.AF_INET6):
                found.append(port)
                _claimed.append(claim)
        except OSError:
            claim.close()
        if len(found) == count:
            return found
    raise AssertionError("no free ports between 19000 and 19400")


class Answer:
    """What a visitor got."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.status, self.text, self.headers = status, text, headers

    def __repr__(self) -> str:
        return f"{self.status} {self.text[:200]!r}"


class Copy:
    """One installation. `start` and `stop` are its services, `cleanup` what `--stop` adds, `remove` deletes the home."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"senryu-test-{os.getpid()}-", dir="/var/lib"))
        self.home.chmod(0o755)
        self.port, self.tls_port, self.rendezvous_port = free_ports(3)
        self.url = f"http://localhost:{self.port}"
        self._runsvdir: subprocess.Popen[bytes] | None = None

    def install(self, *, as_released: bool = False) -> None:
        """The program in an environment of its own, so that it may be read by its users and edits do not reach it; then the services.

        `as_released`: with the locked packages alone, compiled as `./quickstart` does, and none of a developer's.
        """
        _make_users()
        _make_data_user()
        uv, venv = str(CHECKOUT / ".venv/bin/uv"), self.home / "venv"
        _run(uv, "venv", "-q", "--python", "/usr/bin/python3", str(venv))
        if not as_released and _senryu_may_read(_PACKAGES):
            (venv / "lib/python3.11/site-packages/parts.pth").write_text(f"{_PACKAGES}\n")
            (venv / "bin/weed").symlink_to(CHECKOUT / ".venv/bin/weed")  # the one package that is a program
        else:
            _run(uv, "pip", "sync", "-q", "--python", f"{venv}/bin/python", "--require-hashes", str(CHECKOUT / "requirements.lock"))
        _run(uv, "pip", "install", "-q", "--python", f"{venv}/bin/python", "--no-deps", "--compile-bytecode", str(CHECKOUT))
        if as_released:
            _run(f"{venv}/bin/python", "-m", "senryu.install.lean")
        compiling = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([f"{venv}/bin/python", "-c", _IMPORTS], env=compiling, timeout=120, check=True, cwd="/")
        ports = ("--port", str(self.port), "--tls-port", str(self.tls_port), "--rendezvous-port", str(self.rendezvous_port))
        _run(f"{venv}/bin/senryud", "--home", str(self.home), *ports, "install", "--runit")

    def start(self) -> None:
        """Returns when it is healthy."""
        self._runsvdir = subprocess.Popen(
            ["runsvdir", str(self.home / "services")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        self.await_health()

    def await_health(self) -> None:
        """Waits until the Platform API answers through the router."""
        try:
            eventually(lambda: self.visit("localhost", "/senryu/health").status == 200, "the platform's health")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.own_log()}") from None

    def stop(self) -> None:
        """The services end; dynos run on."""
        if self._runsvdir is None:
            return
        self._runsvdir.kill()  # first: it would start a supervisor anew that ended as told, and with it the service
        self._runsvdir.wait(20)
        self._runsvdir = None
        for service in SERVICES:
            self.sv("-w", "20", "force-stop", service)
            self.sv("exit", service)
        eventually(lambda: not any(self._is_supervised(service) for service in SERVICES), "the end of the supervisors")

    def _is_supervised(self, service: str) -> bool:
        """Whether a runsv of it is there: it holds the other end of this pipe."""
        try:
            os.close(os.open(self.home / "services" / service / "supervise/ok", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def cleanup(self) -> None:
        """Ends all dynos and removes what was made outside the home."""
        agent = self.home / "venv/bin/senryu-agent"
        if agent.exists():
            _run(str(agent), "--home", str(self.home), "--user", "senryu", "--cleanup")

    def remove(self) -> set[str]:
        """Everything goes; gives what is left nevertheless."""
        lot = lot_of(self.home)
        try:
            try:
                self.stop()
            finally:
                self.cleanup()
        finally:
            left = _settled_traces(self.home, lot)
            shutil.rmtree(self.home, ignore_errors=True)
        return left | ({f"directory {self.home}"} if self.home.exists() else set())

    def traces(self) -> set[str]:
        """See traces.traces."""
        return traces(self.home, lot_of(self.home))

    def sv(self, *words: str) -> None:
        """runit's `sv`; the last word is a service."""
        subprocess.run(["sv", *words[:-1], str(self.home / "services" / words[-1])], capture_output=True, timeout=60, check=False)

    def pid(self, service: str) -> int:
        """The process of a service now."""
        return int((self.home / "services" / service / "supervise/pid").read_text())

    def kill(self, service: str) -> None:
        """kill -9; returns when runit has started another process."""
        self._kill(service, lambda: self.pid(service))

    def haproxy(self) -> int:
        """The HAProxy that serves, as it says itself. Raises: OSError, IndexError while there is none."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.home / "run/haproxy.sock"))
            connection.sendall(b"show info\n")
            said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return int(re.findall(r"^Pid: (\d+)$", said, re.MULTILINE)[0])

    def kill_haproxy(self) -> None:
        """kill -9; returns when its starter has started another."""
        killed = self.haproxy()
        os.kill(killed, signal.SIGKILL)
        self._await_another_than(killed)

    def replace_haproxy(self) -> None:
        """As `systemctl reload senryu-router` does; returns when another serves. The one before ends in its own time."""
        replaced = self.haproxy()
        self.sv("2", "router")
        self._await_another_than(replaced)

    def _await_another_than(self, haproxy: int) -> None:
        def is_replaced() -> bool:
            with contextlib.suppress(OSError, IndexError):
                return self.haproxy() != haproxy
            return False

        eventually(is_replaced, "another HAProxy")

    def postmaster(self, cluster: str = "postgres") -> int:
        """The main process of PostgreSQL's server. Raises: OSError, ValueError, IndexError while it is replaced."""
        return int((self.home / "data" / cluster / "cluster/postmaster.pid").read_text().splitlines()[0])

    def kill_postgres(self, cluster: str = "postgres") -> None:
        """kill -9; returns when the agent has started another."""
        self._kill(f"server of {cluster}", lambda: self.postmaster(cluster))

    def _kill(self, what: str, pid: Callable[[], int]) -> None:
        """Between two processes there may be no pid, or that of one which is gone."""
        killed: list[int] = []

        def is_killed() -> bool:
            with contextlib.suppress(OSError, ValueError, IndexError):
                found = pid()
                os.kill(found, signal.SIGKILL)
                killed.append(found)
            return bool(killed)

        def is_replaced() -> bool:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return pid() not in killed and not Path(f"/proc/{killed[0]}").exists()
            return False

        eventually(is_killed, f"a {what} to kill")
        eventually(is_replaced, f"another {what}")

    def own_log(self, lines: int = 15) -> str:
        """The last words of each service."""
        texts = []
        for service in SERVICES:
            current = self.home / "services" / service / "log/main/current"
            said = current.read_text(errors="replace").splitlines()[-lines:] if current.exists() else []
            texts.append("\n".join([f"--- {service}", *said]))
        return "\n".join(texts)

    def visit(
        self, host: str, path: str = "/", *, method: str = "GET", headers: dict[str, str] | None = None, timeout_s: float = 90
    ) -> Answer:
        """One request to `host` (an app's name goes without the domain), as a visitor makes it. Status 0: no answer at all."""
        name = host if "." in host or host == "localhost" else f"{host}.localhost"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, headers={"Host": f"{name}:{self.port}", **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.read().decode("utf-8", "replace"), {k.lower(): v for k, v in response.getheaders()})
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error), {})
        finally:
            connection.close()


@contextlib.contextmanager
def running_copy(settings: str | Callable[[Copy], str] = "") -> Iterator[Copy]:
    """A complete platform with a senryu.toml of its own, for the length of the block. Leaving, it must leave nothing behind.

    Takes: `settings`, the file's text, or what makes it of the copy, whose ports and home are known before it is installed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a session that is told to go clears up as one that is interrupted
    copy = Copy()
    left: set[str] = {"unknown"}
    try:
        text = settings if isinstance(settings, str) else settings(copy)
        if text:
            (copy.home / "senryu.toml").write_text(text)
        copy.install()
        copy.start()
        yield copy
    finally:
        left = copy.remove()
    assert not left, f"the platform left behind: {left}"


def _settled_traces(home: Path, lot: int | None) -> set[str]:
    """What is there when the kernel has had the time to take away what it takes away late (mounts and loops of ended processes)."""
    deadline = time.monotonic() + 10
    while (left := traces(home, lot)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd="/")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"


def _make_users() -> None:
    subprocess.run(["groupadd", "--force", "--system", "senryu"], check=True, timeout=30)
    for user in ("senryu", "senryu-router"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            command = ["useradd", "--system", "--gid", "senryu", "--no-create-home", "--home-dir", "/nonexistent"]
            subprocess.run([*command, "--shell", "/usr/sbin/nologin", user], check=True, timeout=30)


def _make_data_user() -> None:
    for user in ("senryu-data", "senryu-objects"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
            subprocess.run([*command, "--shell", "/usr/sbin/nologin", user], check=True, timeout=30)


def _senryu_may_read(path: Path) -> bool:
    command = ["setpriv", "--reuid=senryu", "--regid=senryu", "--init-groups", "test", "-r", str(path / "uv/__init__.py")]
    return subprocess.run(command, timeout=30, check=False).returncode == 0


def new_password() -> str:
    """A password that nobody knows."""
    return secrets.token_urlsafe(18)
