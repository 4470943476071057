"""Calls into the kernel that could open the box, and ways to more rights."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import resource
import stat
import struct
import subprocess
import termios
import time
from functools import partial
from pathlib import Path

from attempt import Refused, Targets, any_of, attempt, patience

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# (x86_64, aarch64); those since 2019 have one number everywhere. Source: syscalls(2).
_NUMBERS: dict[str, tuple[int, int]] = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "reboot": (169, 142), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58), "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18), "kcmp": (312, 272), "move_pages": (279, 239), "migrate_pages": (256, 238),
    "io_uring_setup": (425, 425), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fspick": (433, 433),
    "pidfd_getfd": (438, 438), "mount_setattr": (442, 442), "quotactl_fd": (443, 443),
}  # fmt: skip
_X86_ONLY = {"iopl": 172, "ioperm": 173, "kexec_file_load": 320, "modify_ldt": 154, "uselib": 134}
_IS_X86 = platform.machine() == "x86_64"
_CLONE = 56 if _IS_X86 else 220
_PROCESS_VM_READV, _PTRACE = (310, 101) if _IS_X86 else (270, 117)
_CLONE_NEWUSER = 0x10000000


def _long(*arguments: int) -> list[ctypes.c_long]:
    return [ctypes.c_long(argument) for argument in arguments]


def _called(number: int) -> int:
    """A system call with nothing useful in it: EPERM says that it was turned away before the kernel looked. Raises: OSError."""
    if _libc.syscall(*_long(number, -1, 0, 0, 0, 0, 0)) >= 0:
        return 1
    number_of_error = ctypes.get_errno()
    if number_of_error in (errno.EPERM, errno.ENOSYS):
        raise OSError(number_of_error, "")
    return number_of_error


def _syscall(_targets: Targets, *, number: int) -> str:
    error = _called(number)
    return f"the kernel looked at it ({errno.errorcode.get(error, error)})"


for _name, _pair in _NUMBERS.items():
    attempt(f"call {_name}")(partial(_syscall, number=_pair[0 if _IS_X86 else 1]))
for _name, _number in _X86_ONLY.items() if _IS_X86 else ():
    attempt(f"call {_name}")(partial(_syscall, number=_number))


@attempt("make a user namespace by clone")
def clone_user(_targets: Targets) -> str | None:
    child = _libc.syscall(*_long(_CLONE, _CLONE_NEWUSER | 17, 0, 0, 0, 0))
    if child == 0:
        os._exit(0)
    if child < 0:
        raise OSError(ctypes.get_errno(), "")
    return "a user namespace"


def _program(targets: Targets, *, words: tuple[str, ...]) -> str | None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=20 * patience(targets), stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Refused(done.stderr.strip().splitlines()[0][-80:].strip() if done.stderr.strip() else f"status {done.returncode}")
    return done.stdout.strip() or "it worked"


for _name, _words in {
    "mount a file system": ("mount", "-t", "tmpfs", "none", "/tmp"),
    "mount control groups": ("sh", "-c", "mount -t cgroup2 none /tmp || mount -t cgroup -o memory none /tmp"),
    "mount /proc again": ("mount", "-t", "proc", "none", "/tmp"),
    "make the root writable again": ("mount", "-o", "remount,rw", "/usr"),
    "unshare and mount": ("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"),
    "make a network namespace": ("unshare", "--net", "true"),
    "enter the namespaces of process 1": ("nsenter", "--target", "1", "--mount", "--net", "--pid", "true"),
    "use a loop device": ("/usr/sbin/losetup", "--find", "--show", "/proc/self/exe"),
    "load a kernel module": ("/usr/sbin/modprobe", "dummy"),
    "change its address": ("ip", "address", "add", "10.255.0.1/32", "dev", "eth0"),
    "change its route": ("ip", "route", "replace", "default", "dev", "lo"),
    "become root by sudo or su": ("sh", "-c", "sudo -n id -u 2>&1 || su -c 'id -u' root"),
}.items():
    attempt(_name)(partial(_program, words=_words))


@attempt("make a device")
def make_device(_targets: Targets) -> str | None:
    def tried(kind: int, major: int, minor: int) -> str:
        path = f"/tmp/device-{os.getpid()}-{major}-{minor}"
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
        return path

    return any_of(partial(tried, *device) for device in ((stat.S_IFBLK, 254, 0), (stat.S_IFBLK, 7, 0), (stat.S_IFCHR, 1, 1)))


@attempt("trace a process of the machine")
def trace_others(targets: Targets) -> str | None:
    def tried(pid: str) -> str | None:
        if os.path.exists(f"/proc/{pid}"):
            raise Refused("nothing there")
        _checked(_libc.syscall(*_long(_PTRACE, 16, int(pid), 0, 0)))  # PTRACE_ATTACH
        return f"process {pid} can be traced"

    return any_of(partial(tried, pid) for pid in targets["pids"])


@attempt("read the memory of a process of the machine")
def read_memory(targets: Targets) -> str | None:
    buffer = ctypes.create_string_buffer(16)
    vector = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(buffer), 16))
    place = ctypes.addressof(vector)

    def tried(pid: str) -> str | None:
        if os.path.exists(f"/proc/{pid}"):
            raise Refused("nothing there")
        _checked(_libc.syscall(*_long(_PROCESS_VM_READV, int(pid), place, 1, place, 1, 0)))
        return f"memory of {pid}"

    return any_of(partial(tried, pid) for pid in targets["pids"])


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


@attempt("have a capability, or no filter of calls")
def capabilities(_targets: Targets) -> str | None:
    facts = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    has = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(facts[name], 16)]
    return ", ".join(has + [name for name, wanted in (("NoNewPrivs", "1"), ("Seccomp", "2")) if facts[name] != wanted])


@attempt("gain rights by a setuid program")
def setuid_program(_targets: Targets) -> str | None:
    for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount"):
        if not os.path.exists(path):
            continue
        with subprocess.Popen([path, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
            until = time.monotonic() + 1
            while started.poll() is None and time.monotonic() < until:
                with contextlib.suppress(OSError):
                    users = Path(f"/proc/{started.pid}/status").read_text().split("Uid:")[1].split("\n")[0].split()
                    if set(users) != {str(os.getuid())}:
                        return f"{path} runs as {users}"
            started.kill()
    raise Refused("runs as the dyno's user")


@attempt("make a setuid program of another user")
def make_setuid(_targets: Targets) -> str | None:
    path = f"/tmp/setuid-{os.getpid()}"
    Path(path).write_bytes(b"")
    os.chown(path, 0, 0)
    return "a file of root"


@attempt("become another user")
def become(_targets: Targets) -> str | None:
    return any_of(partial(_become, uid) for uid in (0, 1, os.getuid() + 1))


def _become(uid: int) -> str:
    os.setuid(uid)
    return f"user {os.getuid()}"


@attempt("raise a limit")
def raise_limit(_targets: Targets) -> str | None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:  # what Python makes of EPERM here
        raise Refused("EPERM") from None
    return "a core limit"


@attempt("run before others (nice, real time)")
def run_before(_targets: Targets) -> str | None:
    def scheduled() -> str:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return "real time"

    return any_of([_nicer, scheduled])


def _nicer() -> str:
    os.nice(-5)
    return "nice"


@attempt("escape the out-of-memory killer")
def oom_score(_targets: Targets) -> str | None:
    Path("/proc/self/oom_score_adj").write_text("-1000")
    return "oom_score_adj -1000"


@attempt("type into the terminal of whoever runs it (TIOCSTI)")
def type_ahead(_targets: Targets) -> str | None:
    for file in (0, 1, 2):
        if os.isatty(file):
            fcntl.ioctl(file, termios.TIOCSTI, b"x")
            # What was typed is read by this dyno alone: its terminal is a pair of its own, the person's is at the other end of a socket.
            raise Refused("typed into its own terminal only")
    raise Refused("no terminal")


@attempt("dump core on the machine")
def dump_core(_targets: Targets) -> str | None:
    child = os.fork()
    if child == 0:
        os.abort()
    _, how = os.waitpid(child, 0)
    return "a core" if os.WCOREDUMP(how) else None


