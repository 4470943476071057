"""Builds made to break something, cut off, or left behind: they fail alone, in a sentence, and leave nothing."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.builders import ContainerBuilder, container, outcome, plan, work
from senryu.core import limits
from senryu.core.build import BuildFailed
from senryu.core.buildpack import Buildpack
from senryu.core.dyno import DynoKind, ObservedDyno
from senryu.core.errors import Invalid, Unavailable

from .conftest import APP, Bench, tar

PROCFILE = {"Procfile": "web: ./run\n"}
DEADLINE_S = 30


def left_over(bench: Bench) -> list[str]:
    return [path.name for path in (bench.home / "builds").iterdir() if path.name != "flow"]


async def test_nothing_but_the_cache_is_left_of_a_build(bench: Bench) -> None:
    await bench.build(PROCFILE)
    with pytest.raises(BuildFailed):
        await bench.build({"README": "x"})
    assert left_over(bench) == []
    assert bench.engine.running == {}


async def test_a_cancelled_build_is_ended_and_cleaned_up(bench: Bench) -> None:
    bench.add_buildpack("go", compile='touch "$2/half"; echo begun; sleep 1000')
    building = asyncio.ensure_future(bench.build(PROCFILE))
    async with asyncio.timeout(DEADLINE_S):
        while "begun" not in bench.text:
            await asyncio.sleep(0.01)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert left_over(bench) == []
    assert bench.engine.running == {}
    assert not work.cache_of(bench.home, APP).exists()


async def test_a_build_that_takes_too_long_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_TIMEOUT_S", 0.5)
    bench.add_buildpack("go", compile="sleep 1000")
    with pytest.raises(BuildFailed, match="took longer than"):
        await bench.build(PROCFILE)
    assert left_over(bench) == []
    assert bench.engine.running == {}


async def test_a_build_that_needs_too_much_memory_is_told_so(bench: Bench) -> None:
    bench.engine.is_out_of_memory = True
    bench.add_buildpack("go", compile="kill -9 $$")
    with pytest.raises(BuildFailed, match="more than 2 GB of memory"):
        await bench.build(PROCFILE)
    bench.engine.is_out_of_memory = False
    with pytest.raises(BuildFailed, match="want of memory"):
        await bench.build(PROCFILE)


async def test_a_build_that_fills_its_disk_is_told_so(bench: Bench) -> None:
    bench.add_buildpack("go", compile="echo 'cp: error writing x: No space left on device'; exit 1")
    with pytest.raises(BuildFailed, match="filled its 6 GB disk"):
        await bench.build(PROCFILE)


async def test_a_build_that_fills_the_cache_directory_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_LOOK_AT_DISK_S", 0.05)
    monkeypatch.setattr(limits, "BUILD_DISK_BYTES", 1_000_000)
    bench.add_buildpack("go", compile='head -c 3000000 /dev/urandom >"$2/large"; sleep 1000')
    with pytest.raises(BuildFailed, match="filled its"):
        await bench.build(PROCFILE)
    assert not work.cache_of(bench.home, APP).exists()


async def test_a_build_that_leaves_the_platform_little_space_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    free = os.statvfs(bench.home)
    monkeypatch.setattr(limits, "DISK_KEPT_RATIO", 1.0)
    monkeypatch.setattr(limits, "DISK_KEPT_BYTES", 0)
    assert work.is_crowded(bench.home) is (free.f_favail < free.f_files)  # of files, 1.0 is all of them
    monkeypatch.setattr(limits, "DISK_KEPT_RATIO", 0.0)
    monkeypatch.setattr(limits, "DISK_KEPT_BYTES", 1 << 62)
    assert not work.is_crowded(bench.home)
    monkeypatch.setattr(work, "is_crowded", lambda _home: "begun" in bench.text)
    bench.add_buildpack("go", compile="echo begun; sleep 1000")
    with pytest.raises(BuildFailed, match="platform's disk is nearly full"):
        await bench.build(PROCFILE)
    assert left_over(bench) == []


async def test_a_cache_above_its_bound_is_emptied_after_the_build(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_CACHE_MAX_BYTES", 1_000_000)
    bench.add_buildpack("go", compile='head -c 3000000 /dev/urandom >"$2/large"')
    await bench.build(PROCFILE)
    assert "was emptied" in bench.text
    assert not work.cache_of(bench.home, APP).exists()


async def test_a_slug_above_the_limit_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLUG_MAX_BYTES", 2_000_000)
    with pytest.raises(BuildFailed, match=r"The slug is 2.9M; at most 1 MB are allowed.*\.slugignore"):
        await bench.build({**PROCFILE, "large": os.urandom(3_000_000)})
    assert await bench.blobs.keys("slugs/") == []


async def test_an_app_too_large_or_of_too_many_files_unpacked_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SLUG_UNPACKED_MAX_FILES", 50)
    with pytest.raises(BuildFailed, match="at most 50 are allowed"):
        await bench.build({**PROCFILE, **{f"f{number}": "x" for number in range(100)}})
    monkeypatch.setattr(plan, "SLUG_UNPACKED_MAX_BYTES", 1_000_000)
    with pytest.raises(BuildFailed, match=r"allowed unpacked|cannot be unpacked"):
        await bench.build({**PROCFILE, **{f"zeros{number}": bytes(900_000) for number in range(9)}})


@pytest.mark.parametrize("files", [{"zeros": bytes(3_000_000)}, {f"zeros{number}": bytes(300_000) for number in range(10)}])
async def test_a_source_that_unpacks_to_too_much_is_stopped_while_it_unpacks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    monkeypatch.setattr(plan, "SOURCE_MAX_BYTES", 2 * limits.MIB)
    with pytest.raises(BuildFailed, match="larger than the 2 MB allowed unpacked"):
        await bench.build(gzip.compress(tar({**PROCFILE, **files})))
    assert left_over(bench) == []


async def test_what_a_build_prints_is_bounded_and_harmless(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_OUTPUT_MAX_BYTES", 2 * limits.MIB)
    bench.add_buildpack("go", compile="printf 'a\\033[2Jb\\007\\n'; yes 123456789 | head -c 4000000")
    await bench.build(PROCFILE)
    assert "\x1b[2J" not in bench.text
    assert "\x07" not in bench.text
    assert "printed more than 2 MB; the rest is left out" in bench.text
    assert len(bench.text) < 2.1 * limits.MIB


async def test_hostile_members_of_a_source_stay_inside(bench: Bench, tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, target in (
            ("../../escaped", tarfile.REGTYPE, ""),
            ("/escaped", tarfile.REGTYPE, ""),
            ("out", tarfile.SYMTYPE, str(tmp_path)),
            ("out/through", tarfile.REGTYPE, ""),
            ("Procfile", tarfile.REGTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        await bench.build(made.getvalue())
    assert not [path for path in tmp_path.rglob("*") if path.name in ("escaped", "through")]


async def test_links_fifos_and_lies_in_what_a_build_leaves_are_not_believed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("web: stolen\n")
    out = '"${BUILD_OUT:-$SENRYU_OUT_DIR}"'
    bench.add_buildpack(
        "go",
        compile=f"ln -s {tmp_path}/secret {out}/Procfile; mkfifo {out}/release.3; ln -s {tmp_path}/secret {out}/release.7;"
        ' rm "$1/Procfile"',
    )
    built = await bench.build(PROCFILE)
    assert built.process_types == {}
    bench.add_buildpack("go", compile=f"rm -f {out}/slug.tgz; ln -s {tmp_path}/secret {out}/slug.tgz; chmod 0 {out}; kill -9 $PPID")
    with pytest.raises(BuildFailed):
        await bench.build(PROCFILE)
    assert (tmp_path / "secret").read_text() == "web: stolen\n"


async def test_directories_a_build_locked_are_removed_all_the_same(bench: Bench) -> None:
    bench.add_buildpack("go", compile='mkdir -p "$2/a/b"; touch "$2/a/b/c"; chmod 0 "$2/a/b" "$2/a"')
    await bench.build(PROCFILE)
    await bench.builder.purge_cache(APP)
    assert not work.cache_of(bench.home, APP).exists()


async def test_a_source_that_is_not_there_fails_the_build(bench: Bench) -> None:
    order = await bench.order(tar(PROCFILE))
    await bench.blobs.delete(order.source.key)
    with pytest.raises(BuildFailed, match="never uploaded"):
        await bench.builder.build(order, bench.hear)
    assert left_over(bench) == []


async def test_what_a_crash_left_is_removed_at_the_next_start(bench: Bench) -> None:
    (bench.home / "builds" / str(uuid4()) / "out").mkdir(parents=True)
    ContainerBuilder(bench.engine, bench.engine, bench.blobs, home=bench.home, buildpacks_dir=bench.buildpacks, tools_dir=None)
    assert left_over(bench) == []


async def test_config_vars_are_files_only_their_owner_reads(bench: Bench) -> None:
    bench.add_buildpack("go", compile='stat -c "%a %n" "$3"/*')
    await bench.build(PROCFILE, env={"SECRET": "x"})
    assert "600 " in bench.text


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc", "ext::sh -c x", "ssh://git@host/x", "https://host/x#--upload-pack=x", "https://host/a b", "https://host/x#a\tb",
        "/srv/x", "-x",
    ],
)  # fmt: skip
def test_addresses_that_are_not_http_or_git_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        plan.plan([Buildpack(url)])


def test_a_password_in_a_buildpacks_address_is_not_shown() -> None:
    pack = Buildpack("https://me:secret@host/x.git#main")
    assert plan.shown(pack) == "https://host/x.git#main"
    assert "https://me:secret@host/x.git\tmain" in plan.plan([pack])


@pytest.mark.parametrize(
    ("content", "types"),
    [
        (b"---\ndefault_process_types:\n  web: a\n", {"web": "a"}),
        (b"default_process_types: [1, 2]\n", {}),
        (b"default_process_types:\n  web: {a: b}\n  'x y': z\n  ok: c\n", {"ok": "c"}),
        (b"--- {}\n", {}),
        (b"just text", {}),
        (b"", {}),
    ],
)
def test_release_yaml_gives_only_what_it_should(content: bytes, types: dict[str, str]) -> None:
    found = outcome.release_text(content)
    assert found
    assert dict(found.default_process_types) == types


@pytest.mark.parametrize("content", [b"{" * 5000, b"a: *b", b"!!python/object/apply:os.system ['true']", b"\xff\xfe\x00", b"a: b: c"])
def test_release_yaml_that_cannot_be_read_is_as_none(content: bytes) -> None:
    assert outcome.release_text(content) is None


def test_release_yaml_that_multiplies_itself_is_harmless() -> None:
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)
    )
    found = outcome.release_text(bomb + b"config_vars: *j\ndefault_process_types:\n  web: *j\n")
    assert found
    assert found.default_process_types == {}


async def test_containers_of_a_builder_that_died_are_removed_before_anybody_builds(bench: Bench) -> None:
    left = UUID(int=99)
    bench.engine.ended[left] = ObservedDyno(left, UUID(int=7), "build.left", DynoKind.BUILD, True)
    clearing = asyncio.create_task(bench.builder.clear_away())
    async with asyncio.timeout(DEADLINE_S):
        while bench.engine.removed != [left]:
            await asyncio.sleep(0.01)
    clearing.cancel()


async def test_a_container_whose_engine_was_away_at_its_build_s_end_is_removed_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, times = bench.engine.remove, iter(range(100))

    async def away_once(dyno_id: UUID) -> None:
        if next(times) == 0:
            raise Unavailable("The part that runs dynos does not answer.")
        await remove(dyno_id)

    clearing = asyncio.create_task(bench.builder.clear_away())
    await asyncio.sleep(0)
    monkeypatch.setattr(bench.engine, "remove", away_once)
    await bench.build(PROCFILE)
    async with asyncio.timeout(DEADLINE_S):
        while not bench.engine.removed:
            await asyncio.sleep(0.01)
    clearing.cancel()
    assert bench.engine.removed == [bench.engine.orders[0].id]


async def test_a_build_whose_end_the_engine_notices_late_is_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    dynos, times = bench.engine.dynos, iter(range(100))

    async def late() -> list[ObservedDyno]:
        return [replace(dyno, is_running=True) if next(times) < 3 else dyno for dyno in await dynos()]

    monkeypatch.setattr(bench.engine, "dynos", late)
    assert (await bench.build(PROCFILE)).process_types == {"web": "./run"}
