"""SENRYU_HOME's disk is full: clear errors, running apps untouched, and everything works again when there is space."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.person import Person, new_app
from system.rig import Copy, eventually

from . import apps, invariants
from .traffic import Traffic

DISK_MIB = 400


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Copy]:
    """A platform whose home is a disk of its own."""
    copy = Copy()
    with tempfile.NamedTemporaryFile(prefix="senryu-full-disk-", suffix=".img", dir="/var/tmp") as image:
        image.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image.name], check=True, timeout=60)
        subprocess.run(["mount", "-o", "loop", image.name, str(copy.home)], check=True, timeout=60)
        try:
            copy.home.chmod(0o755)
            copy.install()
            copy.start()
            yield copy
        finally:
            with contextlib.suppress(AssertionError):
                copy.stop()
            copy.cleanup()
            subprocess.run(["umount", "--lazy", str(copy.home)], check=True, timeout=60)
            copy.home.rmdir()


def test_a_full_disk_hurts_only_what_needs_space(small: Copy, tmp_path: Path) -> None:
    person = Person(small, tmp_path / "home", "operator@example.com")
    person.register()
    with new_app(person, apps.files("polite")) as app:
        app.push()
        with Traffic(small, app.name, per_s=50) as traffic:
            filler = _fill(small.home)
            app.commit(apps.files("polite", "while full"))
            refused = app.push(check=False)
            print(refused.stderr)
            assert refused.returncode != 0
            assert "space" in refused.stderr or "disk" in refused.stderr
            changed = app.senryu("config:set", "COLOUR=red", check=False)
            print(changed.stderr)
            assert changed.returncode == 0 or "space" in changed.stderr or "disk" in changed.stderr
            assert "first" in app.visit().text
            filler.unlink()
            eventually(lambda: app.push(check=False).returncode == 0, "a push after space returned")
            eventually(lambda: "while full" in app.visit().text, "the new version")
        bad = traffic.bad()
        assert not bad, traffic.told(bad)
        app.senryu("config:set", "COLOUR=green")
        eventually(lambda: "green" in app.visit().text, "the new config")
        invariants.check(small, within_s=90)


def _fill(home: Path) -> Path:
    """Takes all space there is, to the last block."""
    filler = home / "filler"
    with filler.open("wb") as file:
        for size in (1 << 22, 1 << 16, 1 << 12):
            while True:
                try:
                    os.write(file.fileno(), b"\0" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    break
    return filler
