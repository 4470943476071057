"""Pushes made to break something: they are refused or harmless."""

from __future__ import annotations

import os
import zlib
from hashlib import sha1
from pathlib import Path

import httpx
import pytest

from senryu.core import limits

from .conftest import TOKEN, Checkout, House


async def tree_commit(checkout: Checkout, *entries: tuple[str, str, str]) -> str:
    """A commit of a tree written without git's own checks; entries are (mode, name, object)."""
    content = b"".join(mode.encode() + b" " + name.encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
    tree = write_object(checkout, "tree", content)
    made = await checkout.git("commit-tree", tree, "-m", "hostile")
    return made.text.strip()


def write_object(checkout: Checkout, kind: str, content: bytes) -> str:
    stored = f"{kind} {len(content)}".encode() + b"\0" + content
    name = sha1(stored, usedforsecurity=False).hexdigest()
    path = checkout.path / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(stored))
    return name


@pytest.mark.parametrize("name", [".git", ".GIT", "..", ".", ".git ", "git~1", ".g\u200cit", "a/b", ""])
async def test_a_tree_with_a_hostile_name_is_refused(house: House, checkout: Checkout, name: str) -> None:
    blob = write_object(checkout, "blob", b"[core]\n\tfsmonitor = touch /tmp/owned\n")
    inner = write_object(checkout, "tree", b"100644 config\0" + bytes.fromhex(blob))
    commit = await tree_commit(checkout, ("40000", name, inner))
    pushed = await checkout.git("push", "senryu", f"{commit}:refs/heads/main")
    assert pushed.status == 1, pushed.text
    assert house.commits == []
    assert not (house.repository("shop") / "refs/heads/main").exists()
    assert list(house.repository("shop").glob("objects/tmp_objdir*")) == []


async def test_duplicate_entries_are_refused(house: House, checkout: Checkout) -> None:
    blob = write_object(checkout, "blob", b"x")
    commit = await tree_commit(checkout, ("100644", "a", blob), ("100644", "a", blob))
    assert (await checkout.git("push", "senryu", f"{commit}:refs/heads/main")).status == 1
    assert house.commits == []


@pytest.mark.parametrize("url", ["--upload-pack=touch owned", "ext::sh -c owned"])
async def test_a_hostile_submodule_address_is_refused_or_never_used(house: House, checkout: Checkout, url: str) -> None:
    await checkout.commit(_dot_gitmodules=f'[submodule "x"]\n\tpath = x\n\turl = "{url}"\n')
    pushed = await checkout.git("push", "senryu", "main")
    assert pushed.status == 1 or "They are not fetched" in pushed.text
    assert not list(house.repositories.rglob("owned"))


async def test_attributes_of_the_pusher_change_nothing(house: House, checkout: Checkout) -> None:
    await checkout.commit(
        _dot_gitattributes="hidden export-ignore\n*.txt export-subst ident\nfolder export-ignore\n"
        "f filter=evil\nu working-tree-encoding=UTF-16\n",
        hidden="kept", folder__inside="kept", a_dot_txt="$Format:%H$ $Id$", f="plain", u="plain".encode("utf-16"),
    )  # fmt: skip
    assert (await checkout.git("push", "senryu", "main")).status == 0
    files = house.contents[0]
    assert files["hidden"] == b"kept"
    assert files["folder/inside"] == b"kept"
    assert files["a.txt"] == b"$Format:%H$ $Id$"
    assert files["f"] == b"plain"
    assert files["u"] == b"plain"


async def test_links_and_modes_stay_as_committed(house: House, checkout: Checkout) -> None:
    (checkout.path / "link").symlink_to("/etc/passwd")
    (checkout.path / "run").write_text("#!/bin/sh\n")
    (checkout.path / "run").chmod(0o755)
    await checkout.commit(a="1")
    assert (await checkout.git("push", "senryu", "main")).status == 0
    tree = house.trees[0]
    assert tree["link"].issym()
    assert tree["link"].linkname == "/etc/passwd"
    assert tree["run"].mode & 0o100
    assert not tree["a"].mode & 0o100


async def test_hooks_and_environment_of_a_pusher_do_not_reach_git(
    house: House, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = checkout.path.parent / "owned"
    monkeypatch.setenv("GIT_TRACE", str(owned))
    monkeypatch.setenv("GIT_EXEC_PATH", "/nowhere")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    await checkout.commit(a="1", hooks__pre_receive=f"#!/bin/sh\ntouch {owned}\n")
    assert (await checkout.git("push", "senryu", "main")).status == 0
    assert not owned.exists()


async def test_a_hook_put_into_the_repository_is_not_run(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    await checkout.git("push", "senryu", "main")
    owned = checkout.path.parent / "owned"
    hooks = house.repository("shop") / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {owned}\n")
        (hooks / name).chmod(0o755)
    await checkout.commit(a="2")
    assert (await checkout.git("push", "senryu", "main")).status == 0
    assert not owned.exists()


async def test_a_small_pack_that_unpacks_to_much_is_bounded(house: House, checkout: Checkout) -> None:
    await checkout.commit(zeros=bytes(64 * 1024 * 1024))
    house.reads_source = False
    assert (await checkout.git("push", "senryu", "main")).status == 0
    assert sum(path.stat().st_size for path in house.repository("shop").rglob("*") if path.is_file()) < 4 * 1024 * 1024


def pack_of_zeros(megabytes: int) -> bytes:
    """A pack with one file of zeros, made without compressing them all: a deflate stream may repeat a block that ends at a byte."""
    size, header = megabytes << 20, bytearray()
    left, first = size >> 4, 0x30 | size & 15  # gitformat-pack(5): the type, a blob, is in the first byte
    while left:
        header.append(first | 0x80)
        first, left = left & 0x7F, left >> 7
    header.append(first)
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = deflate.compress(bytes(16 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    pack = b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + header + b"\x78\x9c" + block * (megabytes // 16)
    return pack + sha1(pack, usedforsecurity=False).digest()


async def test_a_pack_of_ten_megabytes_that_unpacks_to_ten_gigabytes_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GIT_CPU_MAX_S", 1)
    line = f"{'0' * 40} {'1' * 40} refs/heads/main\0report-status".encode()
    body = b"%04x" % (len(line) + 4) + line + b"0000" + pack_of_zeros(10 * 1024)
    async with httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=60) as http:
        answer = await http.post("/shop.git/git-receive-pack", auth=("heroku", TOKEN), content=body)
    assert b"ok refs/heads/main" not in answer.content
    assert house.commits == []
    assert sum(path.stat().st_size for path in house.repository("shop").rglob("*") if path.is_file()) < 1024 * 1024


def test_quarantines_left_by_a_crash_are_removed(tmp_path: Path) -> None:
    from senryu.git.repository import Repositories

    left = tmp_path / "x.git" / "objects" / "tmp_objdir-incoming-abc"
    left.mkdir(parents=True)
    kept = tmp_path / "x.git" / "objects" / "ab"
    kept.mkdir()
    Repositories(tmp_path)
    assert not left.exists()
    assert kept.exists()
    assert os.access(tmp_path / ".git-door" / "hooks" / "pre-receive", os.X_OK)
