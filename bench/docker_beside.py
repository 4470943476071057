"""A docker daemon of the benchmark's own (Debian's `docker.io`): private directories, a private bridge, no firewall rules.

No registry is reached: the image is this machine's Python and a shell, made with `docker import`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

IMAGE = "bench-python"
_DOCKER = "/usr/bin/docker"
_TIMEOUT_S = 120


class Docker:
    """The client of the daemon in `folder`."""

    def __init__(self, folder: Path, bridge: str) -> None:
        self.folder, self.bridge = folder, bridge
        self.command = [_DOCKER, "--config", str(folder / "config"), "-H", f"unix://{folder}/docker.sock"]

    def __call__(self, *words: str, given: bytes | None = None) -> str:
        """What one command says. Raises: CalledProcessError."""
        done = subprocess.run([*self.command, *words], input=given, capture_output=True, timeout=_TIMEOUT_S, check=True)
        return done.stdout.decode().strip()

    def address(self, container: str) -> str:
        """A running container's IPv4 address."""
        return self("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)


@contextlib.contextmanager
def docker_daemon() -> Iterator[Docker | str]:
    """The client, or why there is none."""
    if not (shutil.which("dockerd") and os.access(_DOCKER, os.X_OK)):
        yield "no docker daemon here (Debian package docker.io)"
        return
    bridge = f"bench{os.getpid() % 100000}"
    folder = Path(tempfile.mkdtemp(prefix="senryu-bench-docker-"))
    _ip("link", "add", bridge, "type", "bridge")
    try:
        _ip("addr", "add", "10.213.0.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        with _running(folder, bridge) as docker:
            docker("import", "-", IMAGE, given=_root())
            yield docker
    finally:
        _ip("link", "del", bridge)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(folder: Path, bridge: str) -> Iterator[Docker]:
    command = [
        "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
        "-H", f"unix://{folder}/docker.sock", "--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-forward=false",
        "--ip-masq=false", "--userland-proxy=false", "--config-file", f"{folder}/none.json",
    ]  # fmt: skip
    (folder / "none.json").write_text("{}")
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    docker = Docker(folder, bridge)
    try:
        _await(docker, daemon)
        yield docker
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            for left in docker("ps", "-aq").split():
                docker("rm", "-f", left)
        daemon.terminate()
        daemon.wait(60)


def _await(docker: Docker, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            docker("info")
            return
        except subprocess.CalledProcessError:
            if daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"dockerd does not answer:\n{(docker.folder / 'log').read_text()[-2000:]}")
        time.sleep(0.2)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


def _root() -> bytes:
    """A root directory: Python, its library, a shell, `true`, `sleep`, and what they are linked with."""
    programs = ["/usr/bin/python3.11", "/usr/bin/dash", "/usr/bin/true", "/usr/bin/sleep"]
    extensions = [str(path) for path in Path("/usr/lib/python3.11/lib-dynload").glob("*.so")]
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in [*programs, *sorted(_linked([*programs, *extensions]))]:
                tar.add(os.path.realpath(path), arcname=path.lstrip("/"))
            tar.add("/usr/lib/python3.11", arcname="usr/lib/python3.11")
            for name, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")):
                _link(tar, name, target)
            _link(tar, "usr/bin/sh", "dash")
            _link(tar, "usr/bin/python", "python3.11")
        file.seek(0)
        return file.read()


def _linked(programs: list[str]) -> set[str]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, timeout=60, check=False).stdout
    words = (word for line in said.splitlines() for word in line.split())
    found = {word for word in words if word.startswith("/") and not word.endswith(":")}
    return {path if path.startswith("/usr/") else f"/usr{path}" for path in found}


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
