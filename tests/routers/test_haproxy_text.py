"""What HAProxy says and what it starts from, as text: no HAProxy needed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from cryptography import x509

from senryu.core.errors import Invalid
from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.routers import private_authority
from senryu.routers.haproxy import RouterSettings, certificate_files, tls, write_start_files
from senryu.routers.haproxy.config import config_text
from senryu.routers.haproxy.files import servers_in
from senryu.routers.haproxy.live import live_from, requests_on, slot_with
from senryu.routers.haproxy.pages import frame, framed_url
from senryu.routers.haproxy.request_log import request_line
from senryu.routers.haproxy.requests import _next_batch
from senryu.routers.haproxy.slots import Server, routes_of
from senryu.routers.pem import bundle
from senryu.routers.whole import write_whole

from .certificate import certificate

APP, DYNO, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
STATE = f"""1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port
2 platform 1 senryud - 2 0 1 1 0
4 be_0001 1 web.1:{DYNO} 10.64.0.7 2 0 1 1 5000
4 be_0001 2 web.2:{OTHER} fd00::1 2 8 1 1 5000
4 be_0002 1 web.1:{OTHER} 10.64.0.8 0 1 1 1 5000
"""


def test_what_haproxy_says_becomes_routes() -> None:
    live = live_from([
        "# name\nplatform\nbe_0001\nbe_0002",
        STATE,
        "0x1 a.localhost be_0001\n0x2 *.b.com be_0001",
        f"0x1 be_0001 serve:{APP}:shop",
        "Unknown map identifier. Please use #<id> or <file>.",
        f"0x1 be_0001 {frame('https://e.com/?a=1&b=2', 'Error')}",
        "",
    ])  # fmt: skip
    assert live.slots == ("be_0001", "be_0002") and live.dynos is None
    assert live.servers["be_0002"][0].is_leaving
    assert routes_of(live) == [
        Route(
            APP, "shop", ("*.b.com", "a.localhost"), RouteMode.SERVE,
            (RouteTarget(DYNO, "web.1", "10.64.0.7:5000"), RouteTarget(OTHER, "web.2", "[fd00::1]:5000", is_draining=True)),
            error_page_url="https://e.com/?a=1&b=2",
        )
    ]  # fmt: skip


def test_requests_on_a_dyno_are_the_running_and_the_queued_ones() -> None:
    stat_answer = f"# pxname,svname,qcur,qmax,scur,smax\nbe_0001,web.1:{DYNO},2,5,50,50\nbe_0001,web.2:{OTHER},,,1,"
    assert slot_with(STATE, DYNO) == "be_0001"
    assert slot_with(STATE, APP) is None
    assert (requests_on(stat_answer, DYNO), requests_on(stat_answer, OTHER), requests_on("", DYNO)) == (52, 1, 0)


def test_a_configuration_tells_which_dynos_it_names() -> None:
    servers = {"be_0002": (Server(f"web.1:{DYNO}", "10.0.0.1:5000"), Server(f"web.2:{OTHER}", "[::1]:5000", is_draining=True))}
    leaving = Server(f"web.3:{APP}", "10.0.0.3:5000", is_leaving=True)
    text = config_text(RouterSettings(home=Path("/h")), 3, {"be_0002": (*servers["be_0002"], leaving)})
    assert servers_in(text) == servers
    assert text.count("\nbackend be_") == 3


def test_both_ports_are_bound_on_every_address() -> None:
    text = config_text(RouterSettings(home=Path("/h"), port=80, tls_port=443, listen=("127.0.0.1", "::1")), 1, {})
    for bind in ("bind 127.0.0.1:80\n", "bind [::1]:80\n", "bind 127.0.0.1:443 ssl ", "bind [::1]:443 ssl "):
        assert bind in text
    everywhere = config_text(RouterSettings(home=Path("/h"), port=80, tls_port=443, listen=("::",)), 1, {})
    for bind in ("bind [::]:80 v6only\n", "bind 0.0.0.0:80\n", "bind [::]:443 v6only ssl ", "bind 0.0.0.0:443 ssl "):
        assert bind in everywhere


@pytest.mark.parametrize("home", ["/a b", "/a'b", "relative", "/" + "x" * 90])
def test_a_home_that_haproxy_cannot_live_in_is_refused(home: str) -> None:
    with pytest.raises(Invalid):
        RouterSettings(home=Path(home))


def test_a_page_url_comes_back_from_its_frame() -> None:
    assert framed_url(frame("https://e.com/?a=1&b='2'", "x")) == "https://e.com/?a=1&b='2'"
    assert framed_url("") is None


def _log_line(**changes: str) -> bytes:
    fields = {
        "at": "1700000000000", "app": f'"serve:{APP}:shop"', "method": '"GET"', "path": '"/"', "host": '"a"', "id": '"i"',
        "forwarded": '"-"', "visitor": '"1.2.3.4"',
        "server": f'"web.1:{DYNO}"', "tw": '"5"', "tc": '"1"', "tr": '"10"', "ta": '"120"', "TR": '"4"', "status": '"200"', "bytes": '"62"',
        "cause": '"--"', "tls": '"0"', "code": '"-"', "read": '"80"', "length": '"-"',
    }  # fmt: skip
    return ("[" + ",".join((fields | changes).values()) + "]").encode()


def test_service_time_is_what_is_left_after_reading_waiting_and_connecting() -> None:
    line = request_line(_log_line(), 7)
    assert line is not None
    assert (line.position, line.app_id, line.dyno, line.connect_ms, line.service_ms) == (7, APP, "web.1", 1, 110)


def test_a_request_that_no_dyno_saw_has_no_dyno_and_no_times() -> None:
    line = request_line(_log_line(app='"-"', server='"<NOSRV>"', tc='"-1"', tls='"1"', code='"H80"'), 1)
    assert line is not None
    assert (line.app_id, line.dyno, line.connect_ms, line.service_ms, line.protocol, line.code) == (None, "", -1, -1, "https", "H80")


def test_the_addresses_a_request_came_by_end_with_the_visitors_own() -> None:
    lines = [request_line(line, 1) for line in (_log_line(), _log_line(forwarded='"9.9.9.9, x"'))]
    assert [line.fwd for line in lines if line] == ["1.2.3.4", "9.9.9.9, x, 1.2.3.4"]


def test_lines_of_a_haproxy_that_an_older_version_started_are_read() -> None:
    before = _log_line().replace(b'"-","1.2.3.4",', b'"9.9.9.9, 1.2.3.4",')
    line = request_line(before, 7)
    assert line is not None and (line.fwd, line.status, line.dyno) == ("9.9.9.9, 1.2.3.4", 200, "web.1")


@pytest.mark.parametrize(("read", "code"), [("99", "H28"), ("180", "H12")])
def test_silence_is_the_visitors_as_long_as_a_body_is_not_whole(read: str, code: str) -> None:
    line = request_line(_log_line(cause='"sH"', status='"503"', read=f'"{read}"', length='"100"'), 1)
    assert line is not None and line.code == code


@pytest.mark.parametrize(
    "raw", [b"", b"[NOTICE] haproxy", b"[1,2]", b"\0\0", b"{}", b'["x"', _log_line(status='"x"'), _log_line(app='"a:b:c"')]
)
def test_a_line_that_tells_of_no_request_is_passed_over(raw: bytes) -> None:
    assert request_line(raw, 1) is None


def test_a_torn_last_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log, run = tmp_path / "log", tmp_path / "run"
    whole = _log_line() + b"\n"
    log.write_bytes(whole + whole[:20])
    _, lines, position = _next_batch(log, run, 0)
    assert len(lines) == 1
    assert _next_batch(log, run, position)[1] == []
    log.open("ab").write(whole[20:])
    _, lines, position = _next_batch(log, run, position)
    assert [line.position for line in lines] == [position]


@pytest.mark.parametrize("change", ["truncated", "replaced", "gone"])
def test_a_log_that_began_anew_gives_higher_positions(tmp_path: Path, change: str) -> None:
    log, run = tmp_path / "log", tmp_path / "run"
    log.write_bytes((_log_line() + b"\n") * 5)
    _, _, position = _next_batch(log, run, 0)
    if change == "gone":
        log.unlink()
        assert _next_batch(log, run, position) == (position, [], position)
    if change == "truncated":
        os.truncate(log, 0)
    elif change == "replaced":
        log.rename(tmp_path / "old")
    log.open("ab").write(_log_line() + b"\n")
    _, lines, after = _next_batch(log, run, position)
    assert len(lines) == 1 and after > position
    assert _next_batch(log, run, after)[1] == []


def test_a_position_from_a_lost_run_is_still_below_the_next(tmp_path: Path) -> None:
    log, run = tmp_path / "log", tmp_path / "run"
    log.write_bytes(_log_line() + b"\n")
    _, lines, _ = _next_batch(log, run, (9 << 44) | 123)
    assert lines[0].position > (9 << 44) | 123


def test_start_files_are_shared_with_the_group_and_keys_are_not(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_start_files(RouterSettings(home=tmp_path / "h", slots=1))
    finally:
        os.umask(old)
    modes = {str(p.relative_to(tmp_path / "h")): stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "h").rglob("*")}
    assert modes["run"] == modes["router"] == 0o2770
    assert modes["router/requests.log"] == modes["router/haproxy.cfg"] == 0o660
    assert (modes["tls/ca.key"], modes["tls/ca.pem"], modes["tls/certs/default.pem"]) == (0o600, 0o644, 0o640)


def test_start_files_written_twice_change_nothing(tmp_path: Path) -> None:
    settings = RouterSettings(home=tmp_path, slots=2)
    write_start_files(settings)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_start_files(settings)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_certificate_is_made_anew_for_a_new_name_or_when_it_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tls.names_for("localhost", ["b.localhost", "a.localhost", "c.example.com", "*.localhost"])
    ours = [f"{name}.localhost" for name in ("api", "git", "dashboard", "objects")]
    assert names == ("localhost", "*.localhost", *ours, "a.localhost", "b.localhost")
    assert private_authority.ensure_certificates(tmp_path, names)
    assert not private_authority.ensure_certificates(tmp_path, names)
    assert private_authority.ensure_certificates(tmp_path, (*names, "new.localhost"))
    ca = (tmp_path / "ca.pem").read_bytes()
    later = datetime.now(UTC) + timedelta(days=380)
    monkeypatch.setattr(private_authority, "_now", lambda: later)
    assert private_authority.ensure_certificates(tmp_path, names)
    assert (tmp_path / "ca.pem").read_bytes() == ca
    leaf = x509.load_pem_x509_certificates((tmp_path / "certs" / "default.pem").read_bytes())[0]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))


def test_a_good_certificate_is_looked_at_again_for_a_new_name_or_other_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    apart = tls.ensure_apart

    def counted(folder: Path, names: Sequence[str]) -> bool:
        looks.append(len(names))
        return apart(folder, names)

    monkeypatch.setattr(tls, "ensure_apart", counted)
    own = tls.OwnCertificate(tmp_path)
    assert own.ensure(["localhost", "a.localhost"])
    assert not own.ensure(["localhost", "a.localhost"])
    assert not own.ensure(["localhost"])
    assert looks == [2]
    assert own.ensure(["localhost", "a.localhost", "b.localhost"])
    (tmp_path / "certs" / "default.pem").unlink()
    assert own.ensure(["localhost"])
    assert not tls.OwnCertificate(tmp_path).ensure(["localhost"])
    assert looks == [2, 3, 1, 1]


def test_what_keeps_a_certificate_from_being_made_is_told_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(NotADirectoryError, match="Not a directory"):
        tls.ensure_apart(tmp_path / "tls", ["localhost"])


def test_a_kept_certificate_that_haproxy_could_not_start_with_is_not_counted(tmp_path: Path) -> None:
    settings = RouterSettings(home=tmp_path)
    write_start_files(settings)
    good, other = certificate("a.example.com"), certificate("b.example.com")
    written = bundle(good.pem, "a.example.com")
    certificate_files.keep(settings, "a.example.com", written)
    assert certificate_files.read_kept(settings) == {"a.example.com": written}
    key = "-----BEGIN PRIVATE KEY-----"
    damaged = (written.text[:-60], written.text.split(key)[0] + key + other.pem.split(key)[1], written.text.replace("MII", "M!I", 1), "")
    for text in damaged:
        certificate_files.path_of(settings, "a.example.com").write_text(text)
        assert certificate_files.read_kept(settings) == {}


def test_who_writes_start_files_in_the_same_moment_leaves_whole_ones_that_fit(tmp_path: Path) -> None:
    settings = RouterSettings(home=tmp_path, slots=2)
    together = Barrier(8)

    def write(number: int) -> None:
        together.wait(20)
        write_start_files(settings)
        write_whole(settings.rooms, f"room {number}\n" * 1000)

    for _ in range(3):
        shutil.rmtree(settings.tls, ignore_errors=True)
        with ThreadPoolExecutor(8) as writers:
            list(writers.map(write, range(8)))
        leaf = x509.load_pem_x509_certificates((settings.certificates / "default.pem").read_bytes())[0]
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate((settings.tls / "ca.pem").read_bytes()))
        assert len(set(settings.rooms.read_text().splitlines())) == 1
        assert not list(tmp_path.rglob(".*.new"))


def test_a_real_domain_needs_no_name_per_app() -> None:
    assert "shop.example.com" not in tls.names_for("example.com", ["shop.example.com"])
