"""A virtual machine under QEMU's software emulation, whose power can be cut."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from system.rig import Copy, eventually, free_ports

from .root import HOME, given_units

BOOT_S = 900.0  # software emulation beside a busy host; a quiet one takes less than a minute
_SIZE = "6G"
_PROBLEMS = (
    "import json; from faults.invariants import problems; from system.installed import installed;"
    " print('FOUND', json.dumps(problems(installed())))"
)


class Machine(Copy):
    """The platform inside a VM, seen from outside as any other copy: `visit` and `url` go through forwarded ports.

    Takes: `processors`; two cost the emulation more than twice one, as each has to look out for the other.
    """

    def __init__(self, processors: int = 1) -> None:
        self.processors = processors
        self.folder = Path(tempfile.mkdtemp(prefix="senryu-vm-", dir="/var/tmp"))
        self.home = Path(HOME)
        self.port, self.tls_port, self.rendezvous_port = free_ports(3)
        self.url = f"http://localhost:{self.port}"
        self._qemu: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cut_power()
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_disk(self, root: Path) -> None:
        """Makes the disk of what is in `root`, with units for this machine's ports."""
        given_units(root, {"port": self.port, "tls-port": self.tls_port, "rendezvous-port": self.rendezvous_port})
        for name in ("vmlinuz", "initrd.img"):
            shutil.copyfile(next((root / "boot").glob(f"{name}-*")), self.folder / name)
        command = ("mkfs.ext4", "-q", "-d", str(root), str(self.folder / "disk"), _SIZE)
        subprocess.run(command, check=True, timeout=600, capture_output=True)

    def start(self) -> None:
        """Boots; returns when the platform is healthy, which nobody helped it to become.

        The host keeps its power, so what QEMU handed to it is as good as written (cache=unsafe); lost is what the machine had in memory.
        """
        console = self.folder / "console"
        console.unlink(missing_ok=True)
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{port}-:{port}" for port in (self.port, self.tls_port, self.rendezvous_port))
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(self.processors), "-m", "2048"]
        command += ["-nographic", "-no-reboot", "-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd.img")]
        command += ["-append", "root=/dev/vda rw console=ttyS0 panic=5 mitigations=off audit=0 nokaslr quiet"]
        command += ["-drive", f"file={self.folder / 'disk'},format=raw,if=virtio,cache=unsafe"]
        command += ["-netdev", f"user,id=net,{forwards}", "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"]
        command += ["-monitor", "none", "-serial", f"file:{self.folder / 'boot.log'}", "-serial", f"unix:{console},server=on,wait=off"]
        # In a session of its own: sessions share the processors evenly (sched(7), autogroup), and two machines are two jobs.
        quiet = subprocess.DEVNULL
        self._qemu = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        self.await_health()

    def await_health(self) -> None:
        """See Copy, with the patience that emulation needs."""

        def is_healthy() -> bool:
            assert self._qemu is not None
            assert self._qemu.poll() is None, f"QEMU ended:\n{self.own_log()}"
            return self.visit("localhost", "/senryu/health", timeout_s=30).status == 200

        try:
            eventually(is_healthy, "the platform's health", BOOT_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shell('journalctl -b --no-pager -u senryu* | tail -n 60')}") from None

    def cut_power(self) -> None:
        """The machine is off between two instructions; what it had not written to its disk is lost."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(30)
        self._qemu = None

    def shell(self, command: str, timeout_s: float = 300) -> str:
        """What a command prints on the machine itself, where it runs as root."""
        end = f"END-{uuid4().hex}"
        with self._console() as console:
            console.settimeout(timeout_s)
            console.sendall(f"{command}\necho {end}\n".encode())
            said, deadline = b"", time.monotonic() + timeout_s
            while end.encode() not in said:
                assert time.monotonic() < deadline, f"{command} did not end: {said!r}"
                said += console.recv(65536)
        return said.decode("utf-8", "replace").partition(end)[0]

    @contextlib.contextmanager
    def _console(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(self.folder / "console"))
            yield console

    def installed(self) -> str:
        """For the shell: what tells tests that are run on the machine where the platform is."""
        return f"SENRYU_TEST_INSTALLED='{HOME} {self.port} {self.tls_port} {self.rendezvous_port}'"

    def problems(self) -> list[str]:
        """The invariants of `faults.invariants`, asked on the machine itself."""
        said = self.shell(f'cd / && {self.installed()} PYTHONPATH=/srv/senryu/tests {HOME}/venv/bin/python -c "{_PROBLEMS}"')
        found = re.search(r"FOUND (\[.*\])", said)
        return list(json.loads(found.group(1))) if found else [f"the check itself failed: {said[-2000:]}"]

    def own_log(self, lines: int = 40) -> str:
        """The end of what the machine said while it booted."""
        log = self.folder / "boot.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
