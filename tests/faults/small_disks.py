"""Parts of a home on file systems of their own, so that one can be full while the others have room."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from system.rig import Copy

MIB = 1 << 20


class SmallDisk:
    """One part: a directory of the home that is a mount point."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    @contextlib.contextmanager
    def full(self, *, leaving_bytes: int = 0) -> Iterator[None]:
        """Inside, there is no room left, or only so much."""
        try:
            with self._filler.open("wb") as file:
                _take_all(file.fileno())
                file.truncate(max(0, file.seek(0, os.SEEK_END) - leaving_bytes))
            yield
        finally:
            self._filler.unlink()


    @contextlib.contextmanager
    def without_files(self) -> Iterator[None]:
        """Inside, no file or directory can be made, though there is room."""
        folder = self.place / "many"
        folder.mkdir()
        try:
            with contextlib.suppress(OSError):
                for number in itertools.count():
                    (folder / str(number)).touch()
            assert os.statvfs(self.place).f_favail == 0
            yield
        finally:
            shutil.rmtree(folder)


def _take_all(descriptor: int) -> None:
    offset = 0
    for size in (16 * MIB, MIB, 64 * 1024, 4096):
        while True:
            try:
                os.posix_fallocate(descriptor, offset, size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                break
            offset += size


@contextlib.contextmanager
def copy_on_small_disks(sizes_mib: Mapping[str, int]) -> Iterator[tuple[Copy, dict[str, SmallDisk]]]:
    """A running platform; `sizes_mib` by directory below its home, `.` for the home itself. Everything is gone afterwards."""
    with contextlib.ExitStack() as stack:
        copy = Copy()
        stack.callback(shutil.rmtree, copy.home, ignore_errors=True)
        disks: dict[str, SmallDisk] = {}
        if "." in sizes_mib:
            disks["."] = stack.enter_context(mounted(copy.home, sizes_mib["."]))
        stack.callback(copy.cleanup)
        stack.callback(copy.stop)
        copy.install()
        for part, size in sizes_mib.items():
            if part != ".":
                disks[part] = stack.enter_context(mounted(copy.home / part, size))
        copy.start()
        yield copy, disks
        # Before the disks go, which the dyno's disks are on.
        copy.stop()
        copy.cleanup()


@contextlib.contextmanager
def mounted(place: Path, size_mib: int) -> Iterator[SmallDisk]:
    """A file system of its own on a directory."""
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="senryu-disk-", dir="/var/tmp") as folder:
        image = Path(folder) / "image"
        with image.open("wb") as file:
            file.truncate(size_mib * MIB)
        # Blocks as disks have them: SQLite maps a file of which it has written one byte in each 4 KB, and a hole there is a bus error.
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-O", "^has_journal", str(image)], check=True, timeout=60)
        with _mount(image, Path(folder) / "new", place):
            yield SmallDisk(place)


@contextlib.contextmanager
def _mount(image: Path, beside: Path, place: Path) -> Iterator[None]:
    """Takes what is at the place along."""
    before = place.stat()
    beside.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(beside)], check=True, timeout=60)
    try:
        subprocess.run(["cp", "-a", f"{place}/.", str(beside)], check=True, timeout=60)
        os.chown(beside, before.st_uid, before.st_gid)
        beside.chmod(before.st_mode & 0o7777)
        (beside / "lost+found").rmdir()
        subprocess.run(["mount", "--move", str(beside), str(place)], check=True, timeout=60)
    except BaseException:
        subprocess.run(["umount", "--lazy", str(beside)], check=False, timeout=60)
        raise
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=60)
