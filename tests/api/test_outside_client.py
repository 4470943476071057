"""`heroku3`, a client library nobody here wrote, through an app's life; its every answer is held to the description too."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import heroku3
import pytest
import requests

from contract import hold
from house import House
from served import served


def _held(answer: requests.Response, *_: Any, **__: Any) -> None:
    assert answer.request.method is not None and answer.request.url is not None
    media = answer.headers.get("content-type", "")
    if not media.startswith("text/event-stream"):
        hold(answer.request.method, urlsplit(answer.request.url).path, answer.status_code, media, answer.content)


def _client(url: str, token: str) -> Any:
    session = requests.Session()
    session.trust_env = False
    session.hooks["response"].append(_held)
    client = heroku3.api.Heroku(session=session)
    client._heroku_url = url
    assert client.authenticate(token)
    return client


def _made_and_set_up(url: str, token: str) -> None:
    client = _client(url, token)
    assert client.account().email == "owner@example.com"
    app = client.create_app(name="outside", stack_id_or_name="host", region_id_or_name="us")
    assert (app.name, app.owner.email, app.region.name, app.stack.name) == ("outside", "owner@example.com", "us", "host")
    assert app.created_at.year >= 2026
    assert [each.name for each in client.apps(order_by="name")] == ["outside"]
    app.config()["COLOUR"] = "blue"
    app.update_config({"SHAPE": "round", "COLOUR": None})
    assert client.app("outside").config().to_dict() == {"SHAPE": "round"}
    assert len(client.keys()) == 0
    app.enable_maintenance_mode()
    assert client.app("outside").maintenance is True
    app.disable_maintenance_mode()
    assert len(client.oauthauthorizations()) == 1
    assert len(client.oauthclients()) == 0
    assert int(client.ratelimit_remaining()) < 4500


def _run_and_taken_down(url: str, token: str) -> None:
    client = _client(url, token)
    app = client.app("outside")
    [web] = app.process_formation()
    assert (web.type, web.quantity) == ("web", 1)
    web.scale(2)
    app.batch_scale_formation_processes({"web": 1})
    assert app.process_formation()["web"].quantity == 1
    assert app.dynos()[0].type == "web"
    app.restart()
    app.run_command_detached("rake db:migrate")
    builds = app.builds(order_by="created_at")
    assert builds[0].status == "succeeded"
    assert app.slug(builds[0].slug.id).commit is None
    releases = app.releases(order_by="version")
    assert [release.version for release in releases] == list(range(1, len(releases) + 1))
    app.rollback(f"v{releases[-1].version}")
    assert app.get_log(lines=5).endswith("\n")
    app.add_collaborator("guest@example.com")
    assert [each.user.email for each in app.collaborators(order_by="created_at")] == ["owner@example.com", "guest@example.com"]
    app.remove_collaborator("guest@example.com")
    app.add_domain("www.example.org", None)
    assert [each.hostname for each in app.domains(order_by="hostname")] == ["outside.localhost", "www.example.org"]
    app.remove_domain("www.example.org")
    app.update_buildpacks(["heroku/python"])
    assert [each.buildpack.url for each in app.buildpacks()] == ["heroku/python"]
    app.create_logdrain("https://logs.example.com/in")
    assert [drain.url for drain in app.logdrains()] == ["https://logs.example.com/in"]
    app.remove_logdrain(app.logdrains()[0].id)
    assert {feature.name for feature in app.features()} >= {"preboot"}
    assert len(app.sni_endpoints()) == 0
    assert len(app.addons()) == 0
    with pytest.raises(requests.HTTPError, match="already taken"):
        client.create_app(name="outside", stack_id_or_name="host")
    app.rename("inside")
    client.app("inside").delete()
    assert len(client.apps()) == 0


async def test_a_client_library_of_others_goes_through_an_apps_life(house: House) -> None:
    await house.person("guest@example.com")
    async with served(house.api) as url:
        await asyncio.to_thread(_made_and_set_up, url, house.owner.token)
        await house.deploy("outside")
        await house.settle("outside")
        await asyncio.to_thread(_run_and_taken_down, url, house.owner.token)
