"""Slugs and build mounts as dynos see them, and archives that mean harm."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pwd
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from senryu.core.dyno import DynoKind, Mount
from senryu.core.errors import Invalid
from senryu.core.limits import MIB
from senryu.engines.container import ContainerEngine

from .rig import USER, Agent, one_off, order, result, seen

pytestmark = pytest.mark.system


def _store(agent: Agent, archive: bytes, suffix: str = ".tgz") -> str:
    """Puts a slug where senryud would. Gives its name."""
    digest = hashlib.sha256(archive).hexdigest()
    directory = agent.home / "blobs" / "slugs"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{digest}{suffix}").write_bytes(archive)
    return digest


def _tar(fill: Callable[[tarfile.TarFile], None]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        fill(tar)
    return plain.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


def _app(tar: tarfile.TarFile) -> None:
    _add(tar, "./web.py", b"print('hello')", mode=0o644, uid=1234)
    _add(tar, "./bin", type=tarfile.DIRTYPE, mode=0o755)
    _add(tar, "./bin/go", b"#!/bin/bash\necho go", mode=0o6755)


async def test_a_slug_is_the_dynos_own_and_writable_and_starts_fresh_each_time(agent: Agent, engine: ContainerEngine) -> None:
    zstd = subprocess.run(["zstd", "-qc"], input=_tar(_app), capture_output=True, check=True).stdout
    slug = _store(agent, zstd, ".tar.zst")
    script = "bin/go; python3 web.py; stat -c '%U %a %n' web.py bin/go; echo more >> web.py && echo written; ls -A | xargs; rm -r bin && ls"
    for _ in range(2):
        lines, _ = await result(engine, script, slug=slug)
        assert lines == ["go", "hello", "dyno 644 web.py", "dyno 755 bin/go", "written", "bin web.py", "web.py"]


async def test_unpacking_leaves_no_dead_processes_in_the_agent(agent: Agent, engine: ContainerEngine) -> None:
    await result(engine, "true", slug=_store(agent, gzip.compress(_tar(_app), mtime=7)))
    states = {child: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in agent.children()}
    assert "Z" not in states.values(), states


async def test_two_dynos_of_one_slug_see_no_changes_of_each_other(agent: Agent, engine: ContainerEngine) -> None:
    slug = _store(agent, gzip.compress(_tar(_app)))
    first = order("echo changed > web.py; exec python3 -m http.server $PORT", slug=slug)
    await engine.start(first)
    await seen(engine, first.id, lambda dyno: dyno.is_listening)
    assert (await result(engine, "cat web.py", slug=slug))[0] == ["print('hello')"]


async def test_a_slug_whose_checksum_differs_is_not_started(agent: Agent, engine: ContainerEngine) -> None:
    slug = _store(agent, gzip.compress(_tar(_app), mtime=1))
    with open(agent.home / "blobs" / "slugs" / f"{slug}.tgz", "ab") as file:
        file.write(b"more")
    with pytest.raises(Invalid, match="Checksum does match expected value. Expected: SHA256:" + slug):
        await engine.start(one_off("true", slug=slug))
    assert not list((agent.home / "agent" / "slugs").glob("*.unpacking"))


def _climbs(tar: tarfile.TarFile) -> None:
    _add(tar, "../../../../../../../../tmp/senryu-canary-climbed", b"x")
    _add(tar, "/tmp/senryu-canary-absolute", b"x")


def _follows_link(tar: tarfile.TarFile) -> None:
    _add(tar, "out", type=tarfile.SYMTYPE, linkname="/tmp")
    _add(tar, "out/senryu-canary-linked", b"x")
    _add(tar, "hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")


def _makes_devices(tar: tarfile.TarFile) -> None:
    _add(tar, "disk", type=tarfile.BLKTYPE, devmajor=254, devminor=0)
    _add(tar, "pipe", type=tarfile.FIFOTYPE)


def _is_sparse(tar: tarfile.TarFile) -> None:
    _add(tar, "huge", b"", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)})


def _is_cut_off(tar: tarfile.TarFile) -> None:
    _add(tar, "file", os.urandom(100_000))


@pytest.mark.parametrize("fill", [_climbs, _follows_link, _makes_devices, _is_sparse])
async def test_a_hostile_archive_changes_nothing_outside_its_directory(
    agent: Agent, engine: ContainerEngine, fill: Callable[[tarfile.TarFile], None]
) -> None:
    slug = _store(agent, gzip.compress(_tar(fill)))
    try:
        lines, _ = await result(engine, "find . -type b -o -type p -o -size +1G; grep -s root: hard", slug=slug)
        assert lines == []
    except Invalid as error:
        assert "cannot be unpacked" in error.message
    assert not list(Path("/tmp").glob("senryu-canary-*"))
    assert not list((agent.home / "agent" / "slugs").glob("*.unpacking"))


async def test_an_archive_that_is_cut_off_is_refused(agent: Agent, engine: ContainerEngine) -> None:
    slug = _store(agent, gzip.compress(_tar(_is_cut_off))[:50_000])
    with pytest.raises(Invalid, match="cannot be unpacked"):
        await engine.start(one_off("true", slug=slug))


async def test_a_bomb_stops_at_the_limit(agent: Agent, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    # 5 GB of zeros compress to 5 MB.
    zeros = subprocess.run("head -c 5G /dev/zero | zstd -qc", shell=True, capture_output=True, check=True).stdout
    slug = _store(agent, zeros, ".tar.zst")
    with pytest.raises(Invalid, match="cannot be unpacked"):
        await engine.start(one_off("true", slug=slug))


async def test_what_is_no_archive_is_refused(agent: Agent, engine: ContainerEngine) -> None:
    slug = _store(agent, b"hello")
    with pytest.raises(Invalid, match="neither"):
        await engine.start(one_off("true", slug=slug))


def _prepared(agent: Agent, name: str) -> Path:
    """A directory as senryud makes it."""
    owner = pwd.getpwnam(USER)
    directory = agent.home / "builds" / name
    directory.mkdir(parents=True)
    (directory / "before").write_text("before\n")
    for path in (directory, directory / "before"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return directory


async def test_a_build_writes_into_its_writable_mounts_as_senryuds_own_user(agent: Agent, engine: ContainerEngine) -> None:
    cache, source = _prepared(agent, "cache"), _prepared(agent, "source")
    lines, dyno = await result(
        engine,
        "stat -c %U /cache/before; echo new > /cache/new; mkdir /cache/deep; cat /source/before; touch /source/no; pwd; touch here; exit 4",
        kind=DynoKind.BUILD,
        mounts=(Mount(str(cache), "/cache", writable=True), Mount(str(source), "/source")),
        disk_bytes=64 * MIB,
    )
    assert [line for line in lines if "touch" not in line] == ["dyno", "before", "/app"]
    assert any("Read-only file system" in line for line in lines)
    assert dyno.exit_status == 4
    assert (cache / "new").read_text() == "new\n"
    assert {(cache / name).stat().st_uid for name in ("new", "deep")} == {pwd.getpwnam(USER).pw_uid}
    assert not (source / "no").exists()


async def test_nothing_but_plain_directories_of_the_platform_can_be_mounted(agent: Agent, engine: ContainerEngine) -> None:
    link = agent.home / "builds-link"
    link.symlink_to("/etc")
    for source, target in (
        ("/etc", "/x"),
        (str(agent.home), "/x"),
        (str(agent.home / "agent"), "/x"),
        (str(agent.home / "agent" / "logs"), "/x"),
        (str(agent.home / "builds" / ".." / "agent"), "/x"),
        (str(link), "/x"),
        (str(link / "ssl"), "/x"),
        (str(agent.home / "stacks"), "/proc/x"),
        (str(agent.home / "stacks"), "/usr"),
        (str(agent.home / "stacks"), "/a/../etc"),
        (str(agent.home / "nothing"), "/x"),
    ):
        wanted = one_off("ls /x", kind=DynoKind.BUILD, mounts=(Mount(source, target),))
        with pytest.raises(Invalid):
            await engine.start(wanted)
    with pytest.raises(Invalid):
        await engine.start(one_off("ls /x", mounts=(Mount(str(agent.home / "stacks"), "/x"),)))
    assert await engine.dynos() == []


async def test_a_stack_is_imported_and_dynos_run_on_it(agent: Agent, engine: ContainerEngine, tmp_path: Path) -> None:
    small = tmp_path / "small"
    for directory in ("bin", "usr/bin", "etc", "proc", "sys", "dev", "tmp"):
        (small / directory).mkdir(parents=True)
    programs = ("/usr/bin/bash", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/id")
    libraries = {
        word for program in programs for word in subprocess.check_output(["ldd", program], text=True).split() if word.startswith("/")
    }
    for path in (*programs, *libraries):
        target = small / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(path).read_bytes())
        target.chmod(0o755)
    (small / "bin/bash").write_bytes(Path("/usr/bin/bash").read_bytes())
    (small / "bin/bash").chmod(0o755)
    (small / "etc/stack").write_text("small\n")
    (small / "etc/passwd").write_text("root:x:0:0::/:/bin/bash")
    archive = tmp_path / "small.tar"
    subprocess.run(["tar", "-cf", str(archive), "-C", str(small), "."], check=True)
    sources = [("small-1", str(small)), ("small-2", str(archive))]
    if shutil.which("umoci") and shutil.which("skopeo"):
        layout = tmp_path / "layout"
        for words in (["init", "--layout", layout], ["new", "--image", f"{layout}:v1"], ["insert", "--image", f"{layout}:v1", small, "/"]):
            subprocess.run(["umoci", *map(str, words)], check=True)
        sources.append(("small-3", f"oci:{layout}:v1"))
    for name, source in sources:
        await engine.import_stack(name, source)
        lines, _ = await result(engine, "cat /etc/stack; id -un; ls /usr/bin; echo x > /etc/new; echo y > /app/y && cat /app/y", stack=name)
        assert lines[:2] == ["small", "dyno"]
        assert "python3" not in lines
        assert "y" in lines
        assert not (agent.home / "stacks" / name / "rootfs/etc/new").exists()
    for refused in (str(tmp_path / "nothing"), str(tmp_path), "no-such-registry.invalid/image"):
        with pytest.raises(Exception, match=r"imported|neither|stack|needed"):
            await engine.import_stack("small-4", refused)
    for forbidden in ("host", "../x", "UPPER", ""):
        with pytest.raises(Invalid):
            await engine.import_stack(forbidden, str(small))
