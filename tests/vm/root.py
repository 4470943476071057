"""The root directory of a Debian with systemd on which the platform is installed as the manual says."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CACHE = Path("/var/cache/senryu-vm")
HOME = "/var/lib/senryu"
_SYSTEM = ("systemd-sysv", "udev", "dbus", "kmod", "linux-image-cloud-amd64", "initramfs-tools", "socat")
_MIRROR = "http://deb.debian.org/debian"
# What a network of QEMU's own has (its documentation, "Network emulation"): the guest's address and its way out.
_NETWORK = "[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
# A shell on the second serial port, for the test alone; agents that are started from it may have as many files open as the unit's.
_CONSOLE = """[Unit]
Description=A shell for the test
[Service]
ExecStart=/usr/bin/socat EXEC:/bin/bash,stderr /dev/ttyS1,rawer
Restart=always
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
"""
# An emulated processor is slow: nothing is unpacked, loaded or started in it that neither the disk nor the platform has a use for.
_LEAN = """set -e
printf 'MODULES=list\\nCOMPRESS=gzip\\n' > /etc/initramfs-tools/conf.d/vm
printf 'virtio_pci\\nvirtio_blk\\n' > /etc/initramfs-tools/modules
update-initramfs -u
systemctl disable haproxy postgresql e2scrub_reap dpkg-db-backup.timer fstrim.timer e2scrub_all.timer
systemctl disable apt-daily.timer apt-daily-upgrade.timer
systemctl mask modprobe@drm modprobe@efi_pstore modprobe@fuse modprobe@dm_mod modprobe@configfs
"""
# In the words of docs/operating.md.
_INSTALL = """set -e
here=/srv/senryu; export SENRYU_HOME={home}; . $here/install/steps.sh
install_packages none; make_users; install_program
"""
_UNITS = """set -e
{home}/venv/bin/senryud --home {home} --listen 0.0.0.0 {ports} install --systemd
systemctl enable systemd-networkd senryu-agent senryu-router senryud senryu-prepare test-console
"""


def debian() -> Path:
    """A Debian with our packages but without the program; made once and kept under /var/cache."""
    steps = (CHECKOUT / "install/steps.sh").read_text()
    [wanted] = [line for line in steps.splitlines() if line.startswith("packages=")]
    root = CACHE / hashlib.sha256(f"{wanted}{_SYSTEM}".encode()).hexdigest()[:16]
    if root.exists():
        return root
    CACHE.mkdir(parents=True, exist_ok=True)
    growing = root.with_suffix(".growing")
    shutil.rmtree(growing, ignore_errors=True)
    _run("debootstrap", "--variant=minbase", "--include=ca-certificates,python3,python3-venv", "bookworm", str(growing), _MIRROR)
    with _inside(growing):
        packages = wanted.removeprefix('packages="').removesuffix('"').split()
        _chroot(growing, "apt-get", "update", "-qq")
        _chroot(growing, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *_SYSTEM, *packages)
        _chroot(growing, "apt-get", "clean")
    growing.rename(root)
    return root


def installed(root: Path) -> None:
    """Copies a Debian to `root` and installs the platform in it."""
    _run("cp", "-a", "--reflink=auto", str(debian()), str(root))
    source = root / "srv/senryu"
    parts = ("src", "buildpacks", "install", "examples", "bin", "tests", "pyproject.toml", "README.md", "requirements.lock")
    source.mkdir(parents=True)
    for part in parts:
        _run("cp", "-a", str(CHECKOUT / part), str(source / part))
    (root / "etc/systemd/network/10-vm.network").write_text(_NETWORK)
    (root / "etc/systemd/system/test-console.service").write_text(_CONSOLE)
    (root / "etc/hostname").write_text("senryu-vm\n")
    (root / "etc/fstab").write_text("/dev/vda / ext4 errors=remount-ro 0 1\n")
    with _inside(root):
        _chroot(root, "bash", "-c", _LEAN)
        _chroot(root, "bash", "-c", _INSTALL.format(home=HOME))


def given_tests(root: Path) -> None:
    """What the tests need to run on the machine itself."""
    for part in (".venv", "docs"):
        _run("cp", "-a", str(CHECKOUT / part), str(root / "srv/senryu" / part))


def given_units(root: Path, ports: Mapping[str, int]) -> None:
    """Writes the units and enables them."""
    flags = " ".join(f"--{name} {port}" for name, port in ports.items())
    with _inside(root):
        _chroot(root, "bash", "-c", _UNITS.format(home=HOME, ports=flags))


@contextlib.contextmanager
def _inside(root: Path) -> Iterator[None]:
    """What programs need in a chroot: kernel file systems, the machine's resolver and its certificate authorities; no servers start."""
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    authorities = root / "etc/ssl/certs/ca-certificates.crt"
    if Path("/etc/ssl/certs/ca-certificates.crt").exists() and authorities.parent.exists():
        shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", authorities)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    mounted: list[Path] = []
    try:
        for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")):
            _run("mount", "-t", kind, kind, str(root / place))
            mounted.append(root / place)
        yield
    finally:
        for place_ in reversed(mounted):
            _run("umount", str(place_))
        policy.unlink()


def _chroot(root: Path, *command: str) -> None:
    surroundings = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "HOME=/root")
    _run("chroot", str(root), *surroundings, *command)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, f"{command[:6]} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
