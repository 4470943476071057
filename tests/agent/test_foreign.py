"""Root in directories that a data server's user owns: what somebody puts there leads root nowhere."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from senryu.agent import archive_programs, foreign, objects, postgres, redis, stack, standby
from senryu.agent.front import Front
from senryu.agent.history import History
from senryu.agent.home import Home
from senryu.agent.slugs import Slugs
from senryu.core.errors import Invalid, Unavailable
from system.rig import free_ports

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the directories have different owners")
OWNER = "nobody"
SECRET = "root:$y$secret:20000"


class Ground:
    """A directory of root's, and in it one of a server's user."""

    def __init__(self, root: Path) -> None:
        account = pwd.getpwnam(OWNER)
        self.root, self.uid, self.gid = root, account.pw_uid, account.pw_gid
        self.theirs = root / "theirs"
        self.theirs.mkdir(mode=0o700)
        os.chown(self.theirs, self.uid, self.gid)
        self._victims: dict[Path, os.stat_result] = {}

    def victim(self) -> Path:
        """A file that is root's alone."""
        path = self.root / f"shadow{len(self._victims)}"
        path.write_text(SECRET)
        path.chmod(0o600)
        os.utime(path, (1, 1))
        self._victims[path] = path.stat()
        return path

    def as_owner(self, *command: object) -> int:
        """What the server's user may do by itself."""
        words = [str(word) for word in command]
        who: dict[str, object] = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(words, capture_output=True, timeout=20, check=False, **who).returncode  # type: ignore[call-overload, no-any-return]

    def plant(self, *places: Path) -> None:
        """Links to files of root's, put there by the user."""
        for place in places:
            assert self.as_owner("ln", "-sfn", self.victim(), place) == 0, place

    def is_untouched(self) -> bool:
        """All victims are as they were, in content, owner, mode and time."""
        for path, before in self._victims.items():
            now = path.stat()
            assert path.read_text() == SECRET, path
            assert (now.st_uid, now.st_gid, now.st_mode, now.st_mtime) == (before.st_uid, before.st_gid, before.st_mode, before.st_mtime)
        return bool(self._victims)


@pytest.fixture
def ground() -> Iterator[Ground]:
    root = Path(tempfile.mkdtemp(prefix="sf-", dir="/var/tmp"))
    root.chmod(0o755)
    yield Ground(root)
    shutil.rmtree(root)


def test_a_file_is_written_for_the_directorys_owner_beside_links_that_lead_elsewhere(ground: Ground) -> None:
    ground.plant(ground.theirs / "a.conf", ground.theirs / "a.conf.new")
    foreign.write(ground.theirs, "a.conf", "on\n")
    written = os.lstat(ground.theirs / "a.conf")
    assert stat.S_ISREG(written.st_mode) and (written.st_uid, written.st_gid, written.st_mode & 0o777) == (ground.uid, ground.gid, 0o600)
    assert foreign.read(ground.theirs, "a.conf") == "on\n"
    assert ground.is_untouched()


@pytest.mark.parametrize("kind", ["link", "of root's", "pipe", "directory", "nothing"])
def test_only_a_plain_file_of_the_directorys_owner_is_read(ground: Ground, kind: str) -> None:
    there = ground.theirs / "postmaster.pid"
    if kind == "link":
        ground.plant(there)
    elif kind == "of root's":
        os.link(ground.victim(), there)
    elif kind != "nothing":
        assert ground.as_owner({"pipe": "mkfifo", "directory": "mkdir"}[kind], there) == 0
    assert foreign.read(ground.theirs, "postmaster.pid") is None


def test_a_directory_that_is_a_link_is_neither_given_nor_written_in_nor_read(ground: Ground) -> None:
    (ground.root / "roots").mkdir(mode=0o700)
    (ground.root / "roots" / "a").write_text(SECRET)
    os.symlink(ground.root / "roots", ground.root / "led")
    os.lchown(ground.root / "led", ground.uid, ground.gid)
    for act in (foreign.top, lambda path: foreign.hand(path, ground.uid, ground.gid, 0o777), lambda path: foreign.write(path, "a", "x")):
        with pytest.raises(Unavailable):
            act(ground.root / "led")
    assert foreign.read(ground.root / "led", "a") is None
    assert (ground.root / "roots").stat().st_uid == 0 and (ground.root / "roots").stat().st_mode & 0o777 == 0o700
    assert (ground.root / "roots" / "a").read_text() == SECRET


def test_nothing_is_given_where_others_could_replace_it(ground: Ground) -> None:
    with pytest.raises(Unavailable, match="not root's alone"):
        foreign.hand(ground.theirs / "data", ground.uid, ground.gid, 0o700)
    assert not (ground.theirs / "data").exists()


def test_a_server_on_another_disk_by_a_link_of_the_operators_stays_there(ground: Ground) -> None:
    (ground.root / "disk").mkdir()
    (ground.root / "postgres").symlink_to(ground.root / "disk")
    foreign.top(ground.root / "postgres")
    foreign.hand(ground.root / "postgres" / "log", ground.uid, ground.gid, 0o700)
    assert (ground.root / "disk" / "log").stat().st_uid == ground.uid


def test_what_a_directory_takes_is_counted_without_what_links_lead_to(ground: Ground) -> None:
    (ground.root / "large").write_bytes(b"x" * 1_000_000)
    assert ground.as_owner("ln", "-s", ground.root, ground.theirs / "up") == 0
    assert ground.as_owner("ln", "-s", ground.root / "large", ground.theirs / "large") == 0
    assert ground.as_owner("dd", "if=/dev/zero", f"of={ground.theirs}/own", "bs=8192", "count=1") == 0
    assert foreign.used_bytes(ground.theirs) == 8192
    assert foreign.used_bytes(ground.root / "none") == 0


# --- the steps of the agent ---


def postgres_place(ground: Ground, name: str = "postgres", **more: object) -> postgres.Place:
    port = free_ports(1)[0]
    return postgres.Place(ground.root / name, "127.0.0.1", IPv4Network("127.0.0.0/8"), "root", OWNER, port, **more)  # type: ignore[arg-type]


def as_before(ground: Ground, place: postgres.Place) -> None:
    """A directory of the server as earlier versions left it: the server's own."""
    place.root.mkdir(exist_ok=True)
    os.chown(place.root, ground.uid, ground.gid)
    for folder, mode in ((place.root / "log", 0o700), (place.sockets, 0o750)):
        folder.mkdir(exist_ok=True)
        os.chown(folder, ground.uid, 0 if folder == place.sockets else ground.gid)
        folder.chmod(mode)


needs_postgres = pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="PostgreSQL's server is not installed")


@pytest.mark.postgres
@needs_postgres
def test_a_server_of_an_earlier_version_runs_on_and_its_links_lead_root_nowhere(ground: Ground) -> None:
    place = postgres_place(ground)
    try:
        postgres.run(place)
        postgres.stop(place)
        as_before(ground, place)
        names = [f"{name}{end}" for name in ("senryu.conf", "pg_hba.conf", "pg_ident.conf") for end in ("", ".new")]
        ground.plant(place.root / "log" / "start.log", place.root / "start.log", *(place.data / name for name in names))
        postgres.run(place)
        assert ground.is_untouched()
        ground.plant(place.data / "archive.conf", place.data / "archive.conf.new")
        postgres.archive(place, "/bin/false")
        assert ground.is_untouched()
        assert "/bin/false" in (foreign.read(place.data, "archive.conf") or "")
        assert (place.root.stat().st_uid, place.root.stat().st_mode & 0o777) == (0, 0o711)
        assert ground.as_owner("touch", place.root / "mine") != 0
        assert os.lstat(place.data / "senryu.conf").st_uid == ground.uid
    finally:
        postgres.stop(place)


@pytest.mark.postgres
@needs_postgres
@pytest.mark.parametrize("name", ["cluster", "socket", "log"])
def test_a_server_whose_directory_became_a_link_is_not_started(ground: Ground, name: str) -> None:
    place = postgres_place(ground)
    as_before(ground, place)
    (ground.root / "roots").mkdir(mode=0o700)
    if (place.root / name).exists():
        (place.root / name).rmdir()
    assert ground.as_owner("ln", "-s", ground.root / "roots", place.root / name) == 0
    try:
        with pytest.raises(Unavailable):
            postgres.run(place)
    finally:
        postgres.stop(place)
    assert (ground.root / "roots").stat().st_uid == 0 and not list((ground.root / "roots").iterdir())


@pytest.mark.postgres
@needs_postgres
def test_a_standbys_mark_makes_no_file_elsewhere(ground: Ground) -> None:
    place = postgres_place(ground, "copy", leader=postgres_place(ground))
    (ground.root / "roots").mkdir(mode=0o700)
    as_before(ground, place)
    assert ground.as_owner("mkdir", "-m", "700", place.data) == 0
    assert ground.as_owner("ln", "-s", ground.root / "roots" / "made", place.data / "standby.signal") == 0
    (place.data / "PG_VERSION").write_text("0")
    with contextlib.suppress(Unavailable):
        postgres._prepare(place, Path("/nonexistent"))
    assert not list((ground.root / "roots").iterdir())
    assert stat.S_ISREG(os.lstat(place.data / "standby.signal").st_mode)


@pytest.mark.postgres
@needs_postgres
def test_a_copy_writes_and_repeats_nothing_of_what_links_lead_to(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = postgres_place(ground)
    place = postgres_place(ground, "copy", leader=leader)
    for each in (leader, place):
        as_before(ground, each)
    program = standby.Program(place, leader, ground.root / "note")
    monkeypatch.setattr(program, "_asked", lambda statement: "")
    ground.plant(place.root / "log" / "copy.log", place.root / "copy.log", place.root / "cluster.growing")
    assert not program._is_copied()
    assert program._copying is not None and program._copying.wait(30) != 0, "there is no server to copy"
    ground.plant(place.root / "log" / "copy.log")
    with pytest.raises(Unavailable) as told:
        program._is_copied()
    assert SECRET not in told.value.message
    assert ground.is_untouched()


@pytest.mark.skipif(not Path("/usr/bin/pgbackrest").exists(), reason="pgBackRest is not installed")
async def test_a_history_writes_no_settings_logs_or_marks_where_links_lead(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    place = postgres_place(ground)
    as_before(ground, place)
    history = History(place)
    assert ground.as_owner("mkdir", "-m", "700", place.root / "history") == 0
    ground.plant(
        *(place.root / name for name in ("pgbackrest.conf.new", "pgbackrest.conf", "pgbackrest.log", "full-backup")),
        *(place.root / name for name in ("log/pgbackrest.log", "history/full")),
    )
    done: list[tuple[str, ...]] = []
    really = history._pgbackrest

    async def pgbackrest(*arguments: str) -> None:
        done.append(arguments)
        await really("version")

    monkeypatch.setattr(history, "_pgbackrest", pgbackrest)
    monkeypatch.setattr(history, "_full_is_due", lambda: True)
    monkeypatch.setattr(postgres, "archive", lambda place, command: None)
    await history.keep(4)
    assert done == [("stanza-create",), ("--type=full", "backup")]
    assert ground.is_untouched()
    assert ground.as_owner("cat", place.root / "pgbackrest.conf") == 0, "the server's user has to read it"
    with pytest.raises(Unavailable) as told:
        await really("no-such-command")
    assert SECRET not in told.value.message


def test_a_child_that_a_servers_file_names_is_not_taken_from_who_waits_for_it(ground: Ground) -> None:
    place = postgres_place(ground)
    as_before(ground, place)
    assert ground.as_owner("mkdir", "-m", "700", place.data) == 0
    child = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    for named in (child.pid, -1):
        assert ground.as_owner("/bin/sh", "-c", f"echo {named} > {place.data}/postmaster.pid") == 0
        postgres._reap(place)
    assert child.wait(10) == 7


@contextlib.contextmanager
def a_socket_of_roots(path: Path) -> Iterator[None]:
    """One that answers everybody as S3 would, if only root could come there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(100)
                        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def objects_place(ground: Ground) -> objects.Place:
    """Whose server ends at once."""
    return objects.Place(ground.root / "objects", "root", "127.0.0.1", Front("o.localhost", (1,)), OWNER, Path("/bin/false"))


def test_a_socket_of_roots_is_not_opened_to_others_by_a_link_to_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    place = objects_place(ground)
    objects._prepare(place)
    monkeypatch.setattr(objects, "_START_TIMEOUT_S", 0.2)
    with a_socket_of_roots(ground.root / "docker.sock"):
        assert ground.as_owner("ln", "-s", ground.root / "docker.sock", place.socket) == 0
        with pytest.raises(Unavailable):
            objects._await_answer(place, None)
        assert (ground.root / "docker.sock").stat().st_mode & 0o777 == 0o600


def test_an_object_server_that_ends_has_nothing_overwritten_or_repeated(ground: Ground) -> None:
    place = objects_place(ground)
    objects._prepare(place)
    for folder in ("conf", "log"):  # as earlier versions left them
        os.chown(place.root / folder, ground.uid, ground.gid)
        (place.root / folder).chmod(0o700)
    conf = place.root / "conf"
    ground.plant(place.root / "log" / "start.log", *(conf / name for name in ("filer.toml", "filer.new", "s3.json", "s3.json.new")))
    objects._prepare(place)
    started = objects._start(place)
    started.wait(20)
    ground.plant(place.root / "log" / "start.log")
    with pytest.raises(Unavailable) as told:
        objects._await_answer(place, started)
    assert SECRET not in told.value.message
    assert ground.is_untouched()
    assert ground.as_owner("touch", conf / "mine") != 0
    assert ground.as_owner("cat", conf / "s3.json", conf / "filer.toml") == 0, "the server has to read them"


def test_a_program_is_shown_no_file_that_took_the_sockets_place(ground: Ground) -> None:
    path = ground.theirs / ".s.PGSQL.5432"
    ground.plant(path)
    with pytest.raises(Unavailable, match="does not run"):
        archive_programs._check_socket(path)


def test_a_store_is_handed_over_without_what_belongs_to_others(ground: Ground) -> None:
    assert ground.as_owner("mkdir", ground.theirs / "appendonly") == 0
    assert ground.as_owner("touch", ground.theirs / "appendonly" / "its") == 0
    os.link(ground.victim(), ground.theirs / "appendonly" / "shadow")
    redis._hand_over(ground.theirs, 54321)
    assert (ground.theirs / "appendonly" / "its").stat().st_uid == 54321
    assert ground.is_untouched()


def test_users_of_a_stack_are_not_read_through_a_link_above_them(ground: Ground) -> None:
    (ground.theirs / "etc").symlink_to("/etc")
    assert stack._text(ground.theirs, "etc/passwd") == ""
    (ground.root / "etc").mkdir()
    (ground.root / "etc" / "passwd").write_text("app:x:1:1::/:/bin/sh\n")
    assert stack._text(ground.root, "etc/passwd") == "app:x:1:1::/:/bin/sh\n"


def test_a_pipe_in_a_slugs_place_is_not_waited_for(ground: Ground) -> None:
    home = Home(ground.root, ground.uid, ground.gid)
    home.slugs.mkdir(parents=True)
    (ground.root / "blobs" / "slugs").mkdir(parents=True)
    os.mkfifo(ground.root / "blobs" / "slugs" / f"{'a' * 64}.tgz")
    with pytest.raises(Invalid, match="missing"):
        Slugs(home, ground.uid).unpacked("a" * 64)
