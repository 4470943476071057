"""What a dyno sees as its machine: a read-only root with a private /etc.

The `host` stack is this machine's /usr and nothing else of it; imported stacks are directories below SENRYU_HOME/stacks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from senryu.core.dyno import BASE_ENV, DynoKind, DynoOrder
from senryu.core.errors import Invalid, Unavailable

from . import bundle, mounts
from .home import Home

HOST = "host"
_TEXT_MAX_BYTES = 1 << 20
_INITS = ("/usr/bin/tini-static", "/usr/bin/catatonit", "/usr/bin/tini")
_DIRECTORIES = (
    "usr",
    "etc",
    "proc",
    "sys",
    "dev",
    "tmp",
    "app",
    "run",
    "run/senryu",
    "var",
    "var/tmp",
    "home",
    "mnt",
    "opt",
    "srv",
    "root",
)
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What runtimes of the distribution read from /etc, and nothing with the machine's own secrets.
_ETC = (
    "alternatives",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ImageMagick-6",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "nginx",
    "perl",
    "php",
    "protocols",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "services",
    "ssl",
    "terminfo",
    "timezone",
    "vim",
)
# Package mirrors the machine's owner chose; a build installs from them, a dyno has no need to know.
_ETC_OF_BUILDS = ("gemrc", "npmrc", "pip.conf", "uv")
_USERS = "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"
_PROFILE = 'if [ -z "$PATH" ]; then PATH=/usr/local/bin:/usr/bin:/bin; export PATH; fi\n'
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a dyno is on its own machine."""

    uid: int
    hostname: str
    address: str
    resolvers: Sequence[str]
    hosts: str = ""  # further lines of its /etc/hosts


def prepare_root(order: DynoOrder, identity: Identity, directory: Path, home: Home) -> tuple[Path, list[tuple[str, str, bool]]]:
    """Makes the root of a dyno inside `directory`, the disk of its own. Gives the root's path and what is to be bound over it, read-only.

    Raises: Invalid when there is no such stack.
    """
    root = directory / "rootfs"
    etc = directory / "etc"
    etc.mkdir(mode=0o755)
    _write_etc(etc, order, identity)
    root.mkdir(mode=0o755)
    init = (_init(), bundle.INIT, False)
    if order.stack != HOST:
        imported = home.stacks / order.stack / "rootfs"
        if not imported.is_dir():
            raise Invalid(f"There is no stack `{order.stack}` on this machine; import it with senryu stacks:import.")
        _write_passwd(etc, identity, _text(imported, "etc/passwd"), _text(imported, "etc/group"))
        return root, [init, *_files_over(etc)]
    for name in _DIRECTORIES:
        (root / name).mkdir(mode=0o755)
    (root / "run/senryu/init").touch(mode=0o755)
    _write_passwd(etc, identity, _USERS, _GROUPS)
    binds = [("/usr", "/usr", False), init]
    for name in _LINKS:
        place = Path("/") / name
        if place.is_symlink():
            (root / name).symlink_to(os.readlink(place))
        elif place.is_dir():
            (root / name).mkdir()
            binds.append((str(place), str(place), False))
    return root, [*binds, (str(etc), "/etc", False), *_allowed_etc(etc, order.kind)]


def _init() -> str:
    for path in _INITS:
        if os.access(path, os.X_OK):
            return path
    raise Unavailable("No init for dynos is installed; install tini or catatonit.")


def _write_etc(etc: Path, order: DynoOrder, identity: Identity) -> None:
    hosts = f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{identity.address}\t{identity.hostname}\n{identity.hosts}"
    for name, text in (
        ("hosts", hosts),
        ("hostname", f"{identity.hostname}\n"),
        ("resolv.conf", "".join(f"nameserver {server}\n" for server in identity.resolvers)),
        ("nsswitch.conf", _NSSWITCH),
        ("profile", _PROFILE),
        ("bash.bashrc", f"[ -z \"$PS1\" ] || PS1='{BASE_ENV['PS1']}'\n"),
        ("shells", "/bin/sh\n/bin/bash\n"),
    ):
        (etc / name).write_text(text)
        (etc / name).chmod(0o644)


def _write_passwd(etc: Path, identity: Identity, passwd: str, group: str) -> None:
    uid = identity.uid
    (etc / "passwd").write_text(f"{_ending(passwd)}dyno:x:{uid}:{uid}::/app:/bin/bash\n")
    (etc / "group").write_text(f"{_ending(group)}dyno:x:{uid}:\n")
    for name in ("passwd", "group"):
        (etc / name).chmod(0o644)


def _allowed_etc(etc: Path, kind: DynoKind) -> list[tuple[str, str, bool]]:
    (etc / "os-release").symlink_to("../usr/lib/os-release")
    (etc / "mtab").symlink_to("../proc/self/mounts")
    binds = []
    for name in _ETC + (_ETC_OF_BUILDS if kind is DynoKind.BUILD else ()):
        real = Path("/etc") / name
        if real.is_symlink():
            (etc / name).symlink_to(os.readlink(real))
        elif real.is_dir():
            (etc / name).mkdir(mode=0o755)
            binds.append((str(real), f"/etc/{name}", False))
        elif real.is_file():
            (etc / name).touch(mode=0o644)
            binds.append((str(real), f"/etc/{name}", False))
    return binds


def _files_over(etc: Path) -> list[tuple[str, str, bool]]:
    return [(str(etc / name), f"/etc/{name}", False) for name in ("passwd", "group", "hosts", "hostname", "resolv.conf", "bash.bashrc")]


def _text(rootfs: Path, path: str) -> str:
    # A hostile image may have anything here, also a symlink to the machine's own files, and above it.
    try:
        with open(mounts.open_beneath(rootfs, path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode) and found.st_size <= _TEXT_MAX_BYTES:
                return file.read(_TEXT_MAX_BYTES).decode(errors="replace")
    except OSError:
        pass
    return ""


def _ending(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
