"""kill -9 of senryud and of the agent while buckets are made and destroyed: each is there and works, or nothing is left of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from buckets import client, names_of_objects
from senryu.agent import object_shell
from system.person import App
from system.rig import Copy, eventually

from .conftest import ROUNDS, NewApp
from .interrupted import killed_during

VICTIMS = (("senryud",), ("agent",), ("senryud", "agent"))
_FINISHED_S = 90.0
_KEYS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "ENDPOINT_URL_S3", "ENDPOINT_URL", "S3_BUCKET", "BUCKET_NAME")


def _said(copy: Copy, *commands: str) -> str:
    """By the administration of the S3 server, which is shut in."""
    pid = (copy.home / "data/objects/pid").read_text()
    inside = ("nsenter", "--target", pid, "--net", "--mount", "--root", "--wd=/", "--")
    return object_shell.run((*inside, "/weed", "shell", "-master=127.0.0.1:9333", "-filer=127.0.0.1:8888"), list(commands))


def _on_server(copy: Copy) -> dict[str, set[str]]:
    """Each bucket, there or only named by a right to it → access keys that open it."""
    said = _said(copy, "s3.bucket.list", "s3.configure")
    found: dict[str, set[str]] = {bucket: set() for bucket in re.findall(r"senryu-[0-9a-f]{20}(?=\tsize)", said)}
    for identity in json.loads(said[said.index("{") : said.rindex("}") + 1])["identities"]:
        for action in identity["actions"]:
            if identity["name"] != object_shell.NOBODY:
                found.setdefault(action.partition(":")[2], set()).update(pair["accessKey"] for pair in identity["credentials"])
    return found


def _addons(app: App) -> list[dict[str, Any]]:
    return list(json.loads(app.senryu("addons", "--json").stdout))


def _config(app: App) -> dict[str, str]:
    return dict(json.loads(app.senryu("config", "--json").stdout))


def _pairs(app: App) -> list[Mapping[str, str]]:
    """What each add-on's config vars say."""
    config = _config(app)
    prefixes = [name.removesuffix("_S3_BUCKET") for name in config if name.endswith("_S3_BUCKET")]
    return [{key: config[f"{prefix}_{key}"] for key in _KEYS} for prefix in prefixes]


def _is_whole(app: App) -> bool:
    """Each add-on is made; the server has its bucket and its one key, and no others."""
    add_ons = _addons(app)
    if any(add_on["state"] != "provisioned" for add_on in add_ons):
        return False
    named = {pair["S3_BUCKET"]: {pair["ACCESS_KEY_ID"]} for pair in _pairs(app)}
    variables = {name for add_on in add_ons for name in add_on["config_vars"]}
    return len(named) == len(add_ons) and set(_config(app)) == variables and _on_server(app.copy) == named


def _await_whole(app: App, what: str) -> None:
    try:
        eventually(lambda: _is_whole(app), what, _FINISHED_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{_addons(app)}\n{_pairs(app)}\n{_on_server(app.copy)}\n{app.copy.own_log()}") from None


def _await_usable(pair: Mapping[str, str]) -> None:
    """The key pair opens its bucket."""
    s3 = client(pair)
    s3.put_object(Bucket=pair["S3_BUCKET"], Key="kite", Body=b"red")
    assert s3.get_object(Bucket=pair["S3_BUCKET"], Key="kite")["Body"].read() == b"red"


def test_buckets_are_whole_or_gone_whenever_the_platform_dies_while_they_are_made_or_destroyed(
    platform: Copy, make_app: NewApp
) -> None:
    app = make_app()
    app.senryu("addons:create", "senryu-objects")  # so that the server runs
    [kept] = _addons(app)
    for number in range(max(3, ROUNDS * 3 // 20)):
        victims = VICTIMS[number % len(VICTIMS)]
        before = {add_on["name"] for add_on in _addons(app)}
        is_told = killed_during(app, victims, "addons:create", "senryu-objects", "--", "--public-read=true")
        _await_whole(app, f"buckets to be whole after the death of {victims}")
        made = {add_on["name"] for add_on in _addons(app)} - before
        assert len(made) <= 1 and (made or not is_told)
        with names_of_objects():
            for pair in _pairs(app):
                _await_usable(pair)
        for name in made:
            is_gone = killed_during(app, victims, "addons:destroy", name, "--confirm", app.name)
            _await_whole(app, f"destroyed buckets to be gone after the death of {victims}")
            assert name not in {add_on["name"] for add_on in _addons(app)} or not is_gone
    assert kept["name"] in {add_on["name"] for add_on in _addons(app)}
    for add_on in _addons(app):
        app.senryu("addons:destroy", add_on["name"], "--confirm", app.name)
    assert _on_server(platform) == {} and not _config(app)
    eventually(lambda: not list((platform.home / "data/objects/data").glob("senryu-*")), "the end of the objects")
