"""Sources made to break something, sent as a user sends them: by the API's upload and by `git push`, to the whole platform.

Around each the machine is compared: a canary tree, what lies at the top of its directories, what the platform left. Which entry of the
reliability catalogue is proved where (tests/git, tests/builders and tests/engines hold what needs no whole platform):

K   `../`, absolute, symlink then file, hard links, chains: `climbs`, `links`, and test_slugs.py for slugs. Devices, FIFOs: `nodes`.
    setuid, owner: `modes`; mode 0: `closed`. Names, duplicates, long PAX headers, `.git` inside, trailing rubbish: `names`. 10 GB and
    1 TB sparse: `sparse`, `vast`. gzip bomb: `bomb`. Zip, its bomb, links and backslashes: `zip`. Cut off: `cut`. Too many files or bytes:
    test_bounds.py. Slugs again: tests/engines/test_slugs.py.
L1  names, duplicates, modes: tests/git/test_hostile.py.
L2  submodules: below, and tests/git/test_hostile.py.
L3  sizes, deltas, processor time: tests/git/test_hostile.py, test_door.py (endless refs, damaged packs, limits), and below.
L4  hooks, alternates, attributes, filters: below, and tests/git/test_hostile.py.
L5  symlinks in the tree: below; Procfile as a link or FIFO: tests/builders/test_bounds.py; its size: tests/core/test_procfile.py.
L6  two pushes, force, deletes, tags: tests/git/test_push.py, test_streaming.py. L7, L8: tests/git/test_door.py. L9: there is no SSH.
L10 a client that goes: tests/git/test_streaming.py. L11 what a build prints: tests/builders/test_bounds.py.
M   Procfile: tests/core/test_procfile.py. Addresses of buildpacks: tests/builders/test_bounds.py. A buildpack that reads, writes, forks,
    sleeps, prints, fills: tests/builders/test_container.py, test_bounds.py, and test_escape.py (build). ENV_DIR: test_config_var.py.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import secrets
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .person import App, Person, new_app
from .rig import Copy, eventually

ATTRIBUTES = "* filter=evil\nindex.html export-ignore\n* working-tree-encoding=UTF-16\n"
PROCFILE = b"web: python3 -m http.server $PORT\n"
_ZEROS = gzip.compress(bytes(1 << 26), 9)  # a gzip file may be many, one after another
_TAR_END = bytes(1024)


class Canary:
    """A tree on the machine, and what must not change around it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home, self.secret = folder, home, secrets.token_hex(16)
        for name in ("file", "below/file"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(self.secret)
        for path in (folder, folder / "below"):
            path.chmod(0o777)  # whoever gets there may write

    def seen(self) -> list[str]:
        """Names, owners, modes, sizes and contents of the tree; names at the tops; the machine's own accounts."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found.append(f"{path} {stat.st_uid} {stat.st_mode:o} {stat.st_size} {stat.st_nlink} {content}")
        for top in ("/", "/etc", "/root", "/home", "/usr/bin", "/srv", "/opt", self.home, self.home / "secrets", self.home / "stacks"):
            found.append(f"{top}: {sorted(os.listdir(top))}")
        found.append(hashlib.sha256(Path("/etc/passwd").read_bytes() + Path("/etc/shadow").read_bytes()).hexdigest())
        return found


@pytest.fixture(scope="module")
def canary(platform: Copy) -> Iterator[Canary]:
    with tempfile.TemporaryDirectory(prefix="senryu-canary-", dir="/var/lib") as folder:
        Path(folder).chmod(0o777)
        yield Canary(Path(folder), platform.home)


@pytest.fixture(scope="module")
def app(operator: Person) -> Iterator[App]:
    with new_app(operator, {"Procfile": PROCFILE.decode(), "index.html": "first"}) as made:
        made.push()
        yield made


def member(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    for field, value in fields.items():
        setattr(entry, field, value)
    tar.addfile(entry, io.BytesIO(content))


def climbs(tar: tarfile.TarFile, canary: Canary) -> None:
    up = "/".join([".."] * 12)
    for name in ("/climbed", "/below/climbed", "/file"):
        member(tar, f"{up}{canary.folder}{name}", b"x")
        member(tar, f"a/{up}{canary.folder}{name}", b"x")
        member(tar, f"{canary.folder}{name}", b"x")
    member(tar, "..\\..\\climbed", b"x")


def links(tar: tarfile.TarFile, canary: Canary) -> None:
    member(tar, "out", type=tarfile.SYMTYPE, linkname=str(canary.folder))
    member(tar, "out/through", b"x")
    member(tar, "up", type=tarfile.SYMTYPE, linkname="/".join([".."] * 12))
    member(tar, f"up{canary.folder}/through-up", b"x")
    member(tar, "one", type=tarfile.SYMTYPE, linkname="two")
    member(tar, "two", type=tarfile.SYMTYPE, linkname=f"{canary.folder}/below")
    member(tar, "one/through-chain", b"x")
    member(tar, "hard", type=tarfile.LNKTYPE, linkname=f"{canary.folder}/file")
    member(tar, "hard", b"overwritten")
    member(tar, "hard-to-link", type=tarfile.LNKTYPE, linkname="out")
    member(tar, "hard-to-link/through-both", b"x")


def nodes(tar: tarfile.TarFile, canary: Canary) -> None:
    member(tar, "block", type=tarfile.BLKTYPE, devmajor=254, devminor=0)
    member(tar, "memory", type=tarfile.CHRTYPE, devmajor=1, devminor=1)
    member(tar, "pipe", type=tarfile.FIFOTYPE)


def modes(tar: tarfile.TarFile, canary: Canary) -> None:
    member(tar, "root-shell", b"#!/bin/sh\nid -u\n", mode=0o6755, uid=0, gid=0)
    member(tar, "sticky", type=tarfile.DIRTYPE, mode=0o7777)


def closed(tar: tarfile.TarFile, canary: Canary) -> None:
    member(tar, "nothing", b"x", mode=0)
    member(tar, "closed", type=tarfile.DIRTYPE, mode=0)


def names(tar: tarfile.TarFile, canary: Canary) -> None:
    for name in ("a\nb", "a\\b", "tab\t", "\u202egnp.exe", "Upper", "upper", "UPPER", "-rf", "$(id)", "`id`", "\udcff\udcfe"):
        member(tar, name, b"x")
    for name in ("x" * 255, "/".join(["deep" * 10] * 20)):
        member(tar, name, b"x")
    member(tar, "twice", b"1")
    member(tar, "twice", b"2")
    member(tar, ".git/hooks/post-checkout", f"#!/bin/sh\ntouch {canary.folder}/hooked\n".encode(), mode=0o755)
    member(tar, ".git/config", b"[core]\n\tfsmonitor = touch hooked\n")
    member(tar, "pax", b"x", pax_headers={"comment": "x" * 200_000, "path": "pax-named"})


def archive(fill: Callable[[tarfile.TarFile, Canary], None], canary: Canary) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        member(tar, "Procfile", PROCFILE)
        member(tar, "index.html", b"first")
        fill(tar, canary)
    return made.getvalue()


def sparse(size: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Procfile").write_bytes(PROCFILE)
        subprocess.run(["truncate", "-s", size, f"{folder}/huge"], check=True, timeout=30)
        command = ["tar", "-C", folder, "-c", "-z", "--sparse", "Procfile", "huge"]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def bomb(_canary: Canary) -> bytes:
    """10 GB of zeros in a tar in 10 MB of gzip."""
    entry = tarfile.TarInfo("zeros")
    entry.size = 160 << 26
    return gzip.compress(entry.tobuf(tarfile.GNU_FORMAT)) + _ZEROS * 160 + gzip.compress(_TAR_END)


def zipped(canary: Canary) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"../../../../../../../..{canary.folder}/zipped", "x")
        archive.writestr("..\\..\\zipped", "x")
        archive.writestr("zeros", bytes(1 << 28))
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(canary.folder))
    return made.getvalue()


ARCHIVES: dict[str, Callable[[Canary], bytes]] = {
    "climbs": lambda canary: archive(climbs, canary),
    "links": lambda canary: archive(links, canary),
    "nodes": lambda canary: archive(nodes, canary),
    "sparse": lambda _: sparse("10G"),
    "vast": lambda _: sparse("1T"),
    "bomb": bomb,
    "zip": zipped,
    "closed": lambda canary: archive(closed, canary),
    "cut": lambda canary: archive(modes, canary)[:-40],
}
CONTAINED: dict[str, Callable[[Canary], bytes]] = {
    "modes": lambda canary: archive(modes, canary),
    "names": lambda canary: archive(names, canary) + gzip.compress(b"rubbish" * 1000),
}


def sent(app: App, content: bytes) -> subprocess.CompletedProcess[str]:
    """Uploads a source by the API and builds it."""
    with tempfile.NamedTemporaryFile(dir=app.owner.home, suffix=".tar.gz") as file:
        file.write(content)
        file.flush()
        return app.senryu("builds:create", "--source-tar", file.name, check=False)


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_upload_fails_alone_in_a_sentence_and_changes_nothing(platform: Copy, app: App, canary: Canary, name: str) -> None:
    before, releases = canary.seen(), len(app.releases())
    done = sent(app, ARCHIVES[name](canary))
    assert done.returncode != 0, done.stdout
    assert re.search("cannot be unpacked|allowed unpacked|could not be packed", done.stdout + done.stderr), done.stdout + done.stderr
    assert canary.seen() == before
    assert len(app.releases()) == releases
    assert app.visit("/index.html").text == "first"
    eventually(lambda: sorted(os.listdir(platform.home / "builds")) == ["flow"], "the build's directories to be gone")


@pytest.mark.parametrize("name", CONTAINED)
def test_an_odd_upload_is_contained_in_its_slug(app: App, canary: Canary, name: str) -> None:
    before = canary.seen()
    done = sent(app, CONTAINED[name](canary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert canary.seen() == before
    found = app.senryu("run", "find . -perm /7000 -o -type b -o -type c -o -type p -o -name .git; ./root-shell 2>/dev/null || true").stdout
    assert found.split() == ([found.split()[0]] if name == "modes" else [])
    assert name != "modes" or int(found) > 2_000_000  # what was to be root's shell runs as the dyno


def test_a_pushed_tree_reaches_nothing_outside_itself(make_app: Callable[..., App], canary: Canary, tmp_path: Path) -> None:
    app = make_app({"Procfile": PROCFILE.decode(), "index.html": "pushed"})
    stolen = tmp_path / "stolen"
    app.owner.run("git", "init", "-q", str(stolen))
    (stolen / "secret").write_text(canary.secret)
    for words in (("add", "-A"), ("commit", "-q", "-m", "x")):
        app.owner.run("git", *words, cwd=stolen)
    commit = app.owner.run("git", "rev-parse", "HEAD", cwd=stolen).stdout.strip()
    for name, target in (("passwd", "/etc/passwd"), ("up", "../../../../../.."), ("canary", str(canary.folder)), ("loop", "loop")):
        (app.folder / name).symlink_to(target)
    for name in ("hooks/pre-receive", "hooks/post-update", ".githooks/post-checkout", "bin/pre_compile"):
        app.write({name: f"#!/bin/sh\ntouch {canary.folder}/hooked\n"})
    attributes = app.owner.run("git", "hash-object", "-w", "--stdin", cwd=app.folder, stdin=ATTRIBUTES).stdout.strip()
    app.write({
        ".gitmodules": f'[submodule "sub"]\n\tpath = sub\n\turl = file://{stolen}\n',
        ".gitconfig": f'[filter "evil"]\n\tsmudge = touch {canary.folder}/filtered\n\trequired\n',
    })  # fmt: skip
    app.git("add", "-A")
    app.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub", "--cacheinfo", f"100644,{attributes},.gitattributes")
    app.git("commit", "-q", "-m", "hostile")
    before = canary.seen()
    said = app.push().stderr
    assert "They are not fetched" in said or "not fetched" in said, said
    assert canary.seen() == before
    assert app.visit("/index.html").text == "pushed"
    script = f"grep -c dyno passwd; cat canary/file up{canary.folder}/file loop sub/* */secret 2>/dev/null;"
    script += " find sub/ up/work canary/ -mindepth 1 2>/dev/null; true"
    found = app.senryu("run", script).stdout
    assert found.split() == ["1"]  # the links lead to the dyno's own files; nobody fetched the submodule


def test_a_pushed_file_that_unpacks_to_more_than_a_source_may_have_is_refused(app: App, canary: Canary) -> None:
    before, releases = canary.seen(), len(app.releases())
    subprocess.run(["truncate", "-s", "1100M", f"{app.folder}/sparse"], check=True, timeout=30)
    app.git("config", "core.compression", "1")
    app.commit()
    pushed = app.push(check=False)
    assert pushed.returncode != 0, pushed.stderr
    assert "Push rejected" in pushed.stderr, pushed.stderr
    assert canary.seen() == before
    assert len(app.releases()) == releases
    assert app.visit("/index.html").status == 200
