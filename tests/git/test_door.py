"""The door as HTTP: who gets in, which addresses there are, how bodies may be sent."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path

import httpx
import pytest

from .conftest import TOKEN, Checkout, House, git, new_checkout, opened

AUTH = ("heroku", TOKEN)


@pytest.fixture
async def http(house: House) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=30)


async def test_without_credentials_the_client_is_asked_for_them(http: httpx.AsyncClient) -> None:
    async with http:
        for service in ("git-receive-pack", "git-upload-pack"):
            answer = await http.get(f"/shop.git/info/refs?service={service}")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith('Basic realm="Senryu"')
            assert (await http.post(f"/shop.git/{service}", content=b"0000")).status_code == 401


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic aGVyb2t1", "Basic aGVyb2t1Og==", "Bearer x", "Basic /////w=="])
async def test_unreadable_credentials_are_no_credentials(http: httpx.AsyncClient, header: str) -> None:
    async with http:
        answer = await http.get("/shop.git/info/refs?service=git-receive-pack", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_a_wrong_token_an_unknown_app_and_a_forbidden_one_are_told_apart(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    wrong = await checkout.git("push", house.address("shop", "wrong-token"), "main")
    assert wrong.status != 0
    assert "That token is not valid" in wrong.text
    unknown = await checkout.git("push", house.address("nowhere"), "main")
    assert "Couldn't find that app." in unknown.text
    forbidden = await checkout.git("push", house.address("theirs"), "main")
    assert "You may not push to theirs" in forbidden.text
    assert (await checkout.git("ls-remote", house.address("theirs"))).status == 0


@pytest.mark.parametrize(
    "path",
    [
        "/shop.git", "/shop.git/", "/shop.git/HEAD", "/shop.git/info/refs", "/shop.git/info/refs?service=git-upload-archive",
        "/shop.git/objects/info/packs", "/shop.git/config", "/shop.git/git-receive-pack", "/shop.git/git-upload-archive",
        "/Shop.git/info/refs?service=git-receive-pack", "/shop.git.git/info/refs?service=git-receive-pack",
        "/%2e%2e.git/info/refs?service=git-receive-pack", "/..%2fshop.git/info/refs?service=git-receive-pack",
        "/shop.git/%2e%2e/blog.git/info/refs?service=git-receive-pack", "//shop.git/info/refs?service=git-receive-pack",
        "/a/shop.git/info/refs?service=git-receive-pack", "/shop%00.git/info/refs?service=git-receive-pack",
    ],
)  # fmt: skip
async def test_any_other_address_is_not_there(http: httpx.AsyncClient, house: House, path: str) -> None:
    async with http:
        answer = await http.get(path, auth=AUTH)
    assert answer.status_code == 404
    assert not house.repositories.exists() or list(house.repositories.glob("*.git")) == []


async def test_only_get_and_post_are_answered(http: httpx.AsyncClient) -> None:
    async with http:
        assert (await http.put("/shop.git/HEAD", auth=AUTH)).status_code in (404, 405)
        assert (await http.post("/shop.git/info/refs?service=git-receive-pack", auth=AUTH)).status_code == 404


async def test_a_compressed_push_is_understood(house: House, checkout: Checkout, http: httpx.AsyncClient) -> None:
    commit = await checkout.commit(a="1")
    body = await push_body(checkout, commit)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-git-receive-pack-request"}
    async with http:
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, headers=headers, content=gzip.compress(body, mtime=0))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-git-receive-pack-result"
    assert house.commits == [commit]


@pytest.mark.parametrize("damage", ["flipped", "short", "no pack", "missing base"])
async def test_a_damaged_pack_is_refused_and_nothing_of_it_kept(
    house: House, checkout: Checkout, http: httpx.AsyncClient, damage: str
) -> None:
    commit = await checkout.commit(a="1" * 5000)
    body = await push_body(checkout, commit)
    damaged = {
        "flipped": body[:-40] + bytes([body[-40] ^ 0xFF]) + body[-39:],
        "short": body[:-30],
        "no pack": body[: body.index(b"PACK")],
        "missing base": body.replace(commit.encode(), b"1" * 40, 1),
    }[damage]
    async with http:
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, content=damaged)
    assert b"ok refs/heads/main" not in answer.content
    assert house.commits == []
    assert not (house.repository("shop") / "refs/heads/main").exists()
    assert list(house.repository("shop").glob("objects/tmp_objdir*")) == []


async def test_a_machine_without_git_says_so(house: House, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with http:
        assert (await http.get("/shop.git/info/refs?service=git-receive-pack", auth=AUTH)).status_code == 200
        monkeypatch.setattr("senryu.git.repository.Repositories.environment", lambda *_: {"PATH": "/nowhere"})
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, content=b"0000")
    assert answer.status_code == 503
    assert "git could not be started" in answer.text


async def test_a_compression_bomb_is_cut_off(tmp_path: Path) -> None:
    async with opened(House(), tmp_path / "r", pack_max_bytes=1024 * 1024) as house, client(house) as http:
        bomb = gzip.compress(b"0000" + bytes(100 * 1024 * 1024))
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, headers={"Content-Encoding": "gzip"}, content=bomb)
        assert answer.status_code == 413
        question = gzip.compress(bytes(50 * 1024 * 1024))
        answer = await http.post("/shop.git/git-upload-pack", auth=AUTH, headers={"Content-Encoding": "gzip"}, content=question)
        assert answer.status_code == 413


@pytest.mark.parametrize(("encoding", "body"), [("br", b"0000"), ("gzip", b"0000"), ("gzip", gzip.compress(b"0000" * 99, mtime=0)[:-12])])
async def test_a_body_that_cannot_be_unpacked_is_refused(http: httpx.AsyncClient, encoding: str, body: bytes) -> None:
    async with http:
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, headers={"Content-Encoding": encoding}, content=body)
    assert answer.status_code == 400


async def test_a_push_that_names_endless_refs_is_refused(http: httpx.AsyncClient, house: House) -> None:
    line = f"{'0' * 40} {'1' * 40} refs/heads/%07d"
    lines = b"".join(b"%04x" % (len(line % 0) + 4) + (line % number).encode() for number in range(20_000))
    async with http:
        answer = await http.post("/shop.git/git-receive-pack", auth=AUTH, content=lines + b"0000")
    assert answer.status_code == 422
    assert "too many branches" in answer.text


async def test_a_push_above_the_limit_is_refused_in_words(tmp_path: Path) -> None:
    async with opened(House(), tmp_path / "r", pack_max_bytes=1024 * 1024) as house:
        checkout = await new_checkout(tmp_path / "checkout", house)
        await checkout.commit(large=os.urandom(3 * 1024 * 1024 // 2))
        pushed = await checkout.git("push", "senryu", "main")
        assert pushed.status == 1
        assert "remote:  !     The push is larger than the 1 MB allowed; take large files out of its history." in pushed.text
        assert house.commits == []
        assert list(house.repository("shop").glob("objects/tmp_objdir*")) == []


async def test_many_clients_are_served_at_once(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    answers = await asyncio.gather(*(git("ls-remote", house.address("shop"), at=checkout.path) for _ in range(12)))
    assert [answer.status for answer in answers] == [0] * 12


def client(house: House) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=30)


async def push_body(checkout: Checkout, commit: str) -> bytes:
    """What git would send to push one commit to a new main."""
    program = await asyncio.create_subprocess_exec(
        "git", "pack-objects", "--revs", "--stdout", "--quiet", cwd=checkout.path,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    pack, _ = await program.communicate(f"{commit}\n".encode())
    command = f"{'0' * 40} {commit} refs/heads/main\0 report-status side-band-64k\n".encode()
    return b"%04x" % (len(command) + 4) + command + b"0000" + pack


async def test_a_full_disk_is_said_before_anything_is_sent(house: House, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    await checkout.commit(a="1")
    monkeypatch.setattr("senryu.git.repository._KEPT_FREE_BYTES", 1 << 62)
    refused = await checkout.git("push", house.address("shop"), "main")
    assert refused.status != 0
    assert "The platform's disk is full" in refused.text
    assert house.commits == []
