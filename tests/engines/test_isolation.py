"""What a dyno must not be able to do. Each test tries it from inside a real one. Source: reliability catalogue, group N."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from senryu.core.dyno import BASE_ENV, DynoKind
from senryu.engines.container import ContainerEngine

from .rig import Agent, one_off, order, read_until, result, seen

pytestmark = pytest.mark.system

CANARY = "canary-6f1d0c"
# name: command that prints `escaped` when it succeeds
ATTEMPTS = {
    "mount a file system": "mount -t tmpfs none /tmp && echo escaped",
    "make a user namespace": "unshare --user --map-root-user true && echo escaped",
    "make a network namespace": "unshare --net true && echo escaped",
    "enter the namespaces of process 1": "nsenter --target 1 --mount true && echo escaped",
    "make a device": "mknod /app/disk b 254 0 && echo escaped",
    "change the clock": "date --set '2001-01-01' 2>&1 >/dev/null && echo escaped",
    "change the hostname": "hostname escaped 2>/dev/null && echo escaped",
    "become root by a setuid program": "su -c true root </dev/null && echo escaped; test $(id -u) = 0 && echo escaped",
    "make a setuid program of use": "cp /usr/bin/id /app/id && chmod 4755 /app/id && /app/id | grep -q euid && echo escaped",
    "write to the stack": "touch /usr/bin/escaped && echo escaped",
    "write to /etc": "echo 'x::0:0::/:/bin/sh' >> /etc/passwd && echo escaped",
    "write to /proc/sys": "echo 1 > /proc/sys/kernel/panic && echo escaped",
    "ask for a reboot": "echo b > /proc/sysrq-trigger && echo escaped",
    "read the kernel's memory": "head -c 1 /proc/kcore | grep -q . && echo escaped",
    "read kernel addresses": "grep -q . /proc/kallsyms && echo escaped",
    "see control groups": "ls /sys/fs/cgroup | grep -q . && echo escaped",
    "read the shadow file": "cat /etc/shadow && echo escaped",
    "see other processes": "test $(ls -d /proc/[0-9]* | wc -l) -gt 8 && echo escaped",
    "see the platform": "ls /tmp/senryu* /var/lib/senryu /work 2>/dev/null && echo escaped",
    "see the admin socket": "find / -xdev -name '*.sock' -not -path '/proc/*' 2>/dev/null | grep -q . && echo escaped",
    "open a raw socket": 'python3 -c "import socket; socket.socket(2, 3, 1)" && echo escaped',
    "open a packet socket": 'python3 -c "import socket; socket.socket(17, 3, 0)" && echo escaped',
    "open a vsock": 'python3 -c "import socket; socket.socket(40, 1, 0)" && echo escaped',
    "change its address": "ip address add 10.255.0.1/32 dev eth0 && echo escaped",
    "load a kernel module": "modprobe dummy && echo escaped",
    "use loop devices": "losetup --find 2>/dev/null && echo escaped",
    "raise its limits": "ulimit -Hc unlimited && echo escaped",
    "connect to ssh on the gateway": "echo > /dev/tcp/$GATEWAY/22 && echo escaped",
}
SYSCALLS = {
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "keyctl": 250, "add_key": 248, "kexec_load": 246,
    "open_by_handle_at": 304, "init_module": 175, "pivot_root": 155, "setns": 308, "reboot": 169, "swapon": 167, "open_tree": 428,
    "fsopen": 430, "settimeofday": 164, "acct": 163, "quotactl": 179,
}  # fmt: skip


@pytest.mark.parametrize("kind", [DynoKind.FORMATION, DynoKind.BUILD])
async def test_a_dyno_cannot_leave_its_box(engine: ContainerEngine, kind: DynoKind) -> None:
    attempts = (f"echo {_quoted('=== ' + name)}; timeout 3 bash -c {_quoted(command)} 2>/dev/null" for name, command in ATTEMPTS.items())
    script = "\n".join(attempts)
    lines, _ = await result(engine, script, kind=kind, env={**BASE_ENV, "GATEWAY": "10.64.0.1"})
    sections = "\n".join(lines).split("=== ")[1:]
    assert len(sections) == len(ATTEMPTS), lines
    assert [section for section in sections if "escaped" in section] == []


async def test_dangerous_system_calls_are_refused(engine: ContainerEngine) -> None:
    program = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {SYSCALLS}.items():\n"
        "    result = libc.syscall(number, -1, 0, 0, 0, 0, 0); print(name, result, ctypes.get_errno())\n"
    )
    lines, _ = await result(engine, f"exec python3 -c {_quoted(program)}")
    assert lines == [f"{name} -1 1" for name in SYSCALLS]


async def test_a_dyno_has_no_capabilities_and_cannot_gain_any(engine: ContainerEngine) -> None:
    lines, _ = await result(engine, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; id -u; id -G")
    facts = dict(line.split(":\t") for line in lines if ":\t" in line)
    assert {key: int(value, 16) for key, value in facts.items() if key.startswith("Cap")} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0,
    }  # fmt: skip
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert int(lines[-2]) > 2_000_000
    assert lines[-1] == lines[-2]


async def test_a_dyno_starts_with_no_open_files_but_its_own_three(engine: ContainerEngine) -> None:
    lines, _ = await result(engine, "exec python3 -c 'import os; print(sorted(int(f) for f in os.listdir(\"/proc/self/fd\")))'")
    assert lines == ["[0, 1, 2, 3]"]  # 3 is the listing itself


async def test_no_environment_but_its_own_reaches_a_dyno_or_shows_on_the_host(agent: Agent, engine: ContainerEngine) -> None:
    wanted = one_off("grep -az AGENT_CANARY /proc/*/environ; sleep 1000", env={**BASE_ENV, "SECRET": CANARY})
    await engine.start(wanted)
    seen_by_all = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(CANARY.encode() in text for text in seen_by_all)
    kept = [
        path for path in agent.home.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20 and CANARY.encode() in path.read_bytes()
    ]
    assert kept == []
    assert CANARY not in agent.said()
    await engine.signal(wanted.id, "TERM")


async def test_all_that_a_dyno_sees_of_its_own_is_on_its_own_disk(engine: ContainerEngine) -> None:
    lines, _ = await result(engine, "stat -c %d / /etc /app /tmp /var/tmp; awk '$5 == \"/\" || $5 == \"/etc\"' /proc/self/mountinfo")
    devices, mounted = lines[:5], lines[5:]
    assert len(set(devices)) == 1, lines
    assert devices[0] not in {str(Path(place).stat().st_dev) for place in ("/", "/var/lib", "/tmp")}
    assert [line.split()[3] for line in mounted] == ["/rootfs", "/etc"]  # no path of the machine's shows


async def test_two_dynos_share_no_user_files_processes_or_ports(engine: ContainerEngine) -> None:
    secret = order("echo secret > /app/secret; echo secret > /tmp/secret; echo $$; exec python3 -m http.server $PORT")
    await engine.start(secret)
    victim = await seen(engine, secret.id, lambda dyno: dyno.is_listening)
    assert victim.address is not None
    host, port = victim.address.split(":")
    attack = (
        "id -u; cat /app/secret /tmp/secret /proc/*/root/app/secret 2>&1; ps -e | wc -l; "
        f"timeout 2 bash -c 'echo > /dev/tcp/{host}/{port}' && echo escaped"
    )
    lines, _ = await result(engine, attack)
    assert not {"secret", "escaped"} & set(lines)
    terminal = await engine.run_inside(secret.id, "id -u", BASE_ENV, tty=False, columns=80, lines=24)
    assert (await read_until(terminal)).decode().strip() != lines[0]
    await terminal.close()


@pytest.fixture
def host_port() -> Iterator[int]:
    """A web server on all addresses of the host."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_dyno_reaches_neither_the_hosts_ports_nor_cloud_metadata(engine: ContainerEngine, host_port: int) -> None:
    places = " ".join(f"{host}/{host_port}" for host in ("$G", "127.0.0.1", "192.0.2.2")) + " 169.254.169.254/80 10.0.0.1/80"
    script = (
        f"G=$(ip -4 route show default | cut -d' ' -f3); echo $G; for where in {places}; do "
        'timeout 1 bash -c "echo > /dev/tcp/$where" 2>/dev/null && echo escaped $where; done'
    )
    lines, _ = await result(engine, script)
    assert lines[0].startswith("10.")
    assert len(lines) == 1, lines


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
