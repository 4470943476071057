"""A static site, built and then really served: caching, compression, ranges, routes, and what must never be answered."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import ROOT, BuildpackRun, BuildpackRunner, RunningApp

pytestmark = pytest.mark.registry

EXAMPLE = ROOT / "examples" / "static-site"
SERVE = "python3 .heroku/static/serve.py"
TEXT = "".join(f"line {number} of a text that gets smaller\n" for number in range(200))
STATIC_JSON = {
    "root": "dist",
    "clean_urls": True,
    "error_page": "errors/missing.html",
    "routes": {"/panel/**": "panel.html"},
    "headers": {"/": {"X-Frame-Options": "DENY"}, "/assets/**": {"Cache-Control": "public, max-age=7"}},
    "redirects": {"/old/": {"url": "/new", "status": 302}, "/away": {"url": "https://example.com/"}},
}
SITE = {
    "static.json": json.dumps(STATIC_JSON),
    "secret.txt": "outside the root",
    "dist/index.html": "<h1>home</h1>",
    "dist/about.html": "<h1>about</h1>",
    "dist/panel.html": "<h1>panel</h1>",
    "dist/docs/index.html": "<h1>docs</h1>",
    "dist/errors/missing.html": "<h1>nothing here</h1>",
    "dist/text.txt": TEXT,
    "dist/app.3f9a1c2e.js": "console.log(1)",
    "dist/assets/x.css": "a{}",
    "dist/with space é.txt": "named",
    "dist/.env": "SECRET=1",
}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation of the server for all tests of this file."""
    return tmp_path_factory.mktemp("static-cache")


@pytest.fixture
def site(buildpack_run: BuildpackRunner, shared_cache: Path) -> BuildpackRun:
    run = buildpack_run("static", SITE)
    run.cache = shared_cache
    return run


@pytest.fixture
def served(site: BuildpackRun) -> Iterator[RunningApp]:
    (site.app / "dist" / "out.txt").symlink_to(site.app / "secret.txt")
    (site.app / "dist" / "passwd").symlink_to("/etc/passwd")
    compiled = site.compile()
    assert compiled.returncode == 0, compiled.stdout
    with site.started(SERVE) as app:
        yield app


def test_the_example_is_built_once_and_every_path_gives_the_page(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("static", EXAMPLE)
    assert "-----> Installing the file server with uv" in run.compile().stdout
    run.replace_app(EXAMPLE)
    again = run.compile(PATH="/usr/bin:/bin")
    assert again.returncode == 0, again.stdout
    assert "-----> Using the cached file server" in again.stdout
    with run.started(SERVE) as app:
        home = app.get("/")
        assert (home.status, home.headers["X-Frame-Options"]) == (200, "DENY")
        assert app.get("/welcome").body == home.body
        assert app.get("/start").headers["Location"] == "/welcome"
        assert app.get("/assets/app.b82e61f3.js").headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert app.terminate() == 0


def test_pages_folders_clean_urls_routes_and_the_error_page(served: RunningApp) -> None:
    bodies = {path: served.get(path).body for path in ("/", "/about", "/about.html", "/docs/", "/panel/a/b")}
    assert bodies == {
        "/": b"<h1>home</h1>",
        "/about": b"<h1>about</h1>",
        "/about.html": b"<h1>about</h1>",
        "/docs/": b"<h1>docs</h1>",
        "/panel/a/b": b"<h1>panel</h1>",
    }
    assert served.get("/with%20space%20%C3%A9.txt").body == b"named"
    folder = served.get("/docs?a=b")
    assert (folder.status, folder.headers["Location"]) == (302, "/docs/?a=b")
    missing = served.get("/no/such")
    assert (missing.status, missing.body, missing.headers["Cache-Control"]) == (404, b"<h1>nothing here</h1>", "no-cache")
    assert [served.get(path).headers["Location"] for path in ("/old", "/old/", "/away")] == ["/new", "/new", "https://example.com/"]


def test_answers_carry_validators_and_headers(served: RunningApp) -> None:
    home = served.get("/")
    assert home.headers["Cache-Control"] == "no-cache"
    assert home.headers["X-Frame-Options"] == "DENY"
    assert home.headers["X-Content-Type-Options"] == "nosniff"
    assert served.get("/assets/x.css").headers["Cache-Control"] == "public, max-age=7"
    for headers in (
        {"If-None-Match": home.headers["ETag"]},
        {"If-None-Match": f'"other", W/{home.headers["ETag"]}'},
        {"If-Modified-Since": home.headers["Last-Modified"]},
    ):
        kept = served.get("/", headers=headers)
        assert (kept.status, kept.body) == (304, b"")
    assert served.get("/", headers={"If-None-Match": '"other"'}).status == 200


def test_text_is_sent_compressed_to_those_who_accept_it(served: RunningApp) -> None:
    packed = served.get("/text.txt", headers={"Accept-Encoding": "gzip, br"})
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body).decode() == TEXT
    plain = served.get("/text.txt")
    assert (plain.headers["Content-Encoding"], plain.body.decode()) == (None, TEXT)
    assert served.get("/text.txt.gz").status == 404


def test_ranges_and_head_are_answered(served: RunningApp) -> None:
    etag = served.get("/text.txt").headers["ETag"]
    for asked, expected in (("bytes=0-0", TEXT[:1]), ("bytes=5-9", TEXT[5:10]), ("bytes=-4", TEXT[-4:])):
        part = served.get("/text.txt", headers={"Range": asked, "Accept-Encoding": "gzip", "If-Range": etag})
        assert (part.status, part.body.decode()) == (206, expected)
    assert served.get("/text.txt", headers={"Range": "bytes=0-0", "If-Range": '"old"'}).body.decode() == TEXT
    beyond = served.get("/text.txt", headers={"Range": "bytes=999999-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(TEXT)}")
    head = served.get("/text.txt", method="HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(TEXT)), b"")
    assert served.get("/", method="POST").status == 405


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/docs/..%2f..%2fsecret.txt", "//etc/passwd",
        "/%2fetc/passwd", "/....//secret.txt", "/\\..\\secret.txt", "/.env", "/out.txt", "/passwd", "/static.json",
        "/text.txt%00", "/.heroku/static/serve.py",
    ],
)  # fmt: skip
def test_nothing_outside_the_site_is_ever_answered(served: RunningApp, target: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", "x")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status in (400, 404)
        assert not {b"outside the root", b"SECRET", b"root:"} & set(answer.read().split(b"="))
    finally:
        connection.close()


def test_many_connections_at_once_are_served(served: RunningApp) -> None:
    idle = [socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(300)]
    try:
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: served.get("/text.txt").status, range(100))) == {200}
    finally:
        for connection in idle:
            connection.close()


def test_an_answer_under_way_is_finished_after_sigterm(site: BuildpackRun) -> None:
    size = 20_000_000
    (site.app / "dist" / "big.bin").write_bytes(b"x" * size)
    assert site.compile().returncode == 0
    with site.started(SERVE) as app, socket.create_connection(("127.0.0.1", app.port), timeout=10) as client:
        client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = len(client.recv(1000))
        app.process.terminate()
        while chunk := client.recv(1 << 20):
            received += len(chunk)
        assert received > size
        assert app.process.wait(timeout=25) == 0


def test_https_only_redirects_by_the_routers_word(site: BuildpackRun) -> None:
    (site.app / "static.json").write_text('{"root": "dist", "https_only": true}')
    assert site.compile().returncode == 0
    with site.started(SERVE) as app:
        plain = app.get("/about.html?x=1", headers={"X-Forwarded-Proto": "http", "Host": "site.example"})
        assert (plain.status, plain.headers["Location"]) == (301, "https://site.example/about.html?x=1")
        assert app.get("/about.html", headers={"X-Forwarded-Proto": "https"}).status == 200


def test_the_etag_follows_the_content_not_the_checkout(site: BuildpackRun) -> None:
    def etag() -> str:
        assert site.compile().returncode == 0
        with site.started(SERVE) as app:
            return str(app.get("/").headers["ETag"])

    first = etag()
    (site.app / "dist" / "index.html").touch()
    assert etag() == first
    (site.app / "dist" / "index.html").write_text("<h1>new!</h1>")
    assert etag() != first


@pytest.mark.parametrize(
    ("static_json", "complaint"),
    [('{"root": "gone"}', 'root "gone" is not a directory'), ('{"root": "dist", "routes": {"/**": "gone.html"}}', 'no file "gone.html"')],
)
def test_a_wrong_static_json_fails_the_build(site: BuildpackRun, static_json: str, complaint: str) -> None:
    (site.app / "static.json").write_text(static_json)
    compiled = site.compile()
    assert compiled.returncode == 1
    assert complaint in compiled.stdout
    assert " !     The static site could not be prepared" in compiled.stdout


def test_keys_without_effect_are_named(site: BuildpackRun) -> None:
    (site.app / "static.json").write_text('{"root": "dist", "proxies": {}}')
    assert 'static.json: "proxies" is not supported and has no effect.' in site.compile().stdout
