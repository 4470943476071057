"""schemathesis calls every operation with made-up values: no 5xx, and every answer is as described.

`SENRYU_MADE_UP_CALLS=200` tries more examples of each operation than the few of an ordinary run.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.result import Ok

from contract import hold, openapi
from house import House
from served import served

_EXAMPLES = int(os.environ.get("SENRYU_MADE_UP_CALLS", "5"))
# What names something there is, in three of four calls; the fourth is made up.
_THERE = {
    "app": "shared",
    "dyno": "web.1",
    "type": "web",
    "release": "2",
    "hostname": "shared.localhost",
    "email": "owner@example.com",
    "team": "acme",
    "region": "us",
    "stack": "host",
    "size": "eco",
    "feature": "preboot",
    "namespace": "heroku",
    "name": "python",
    "user": "~",
}
# These end what the other calls need, hash a password for each call, or wait for a person.
_MADE_UP_ONLY = {("DELETE", "/apps/{app}"), ("DELETE", "/teams/{team}"), ("PATCH", "/teams/{team}"), ("PATCH", "/teams/apps/{app}")}
_NOT_CALLED = {("DELETE", "/oauth/sessions/~"), ("POST", "/senryu/registrations"), ("GET", "/auth/cli/{id}")}


class _Caller:
    """The calls, and what was wrong with their answers."""

    def __init__(self, url: str, tokens: list[str]) -> None:
        self._url = url
        self._tokens = tokens
        self._session = requests.Session()
        self._session.trust_env = False
        self.calls = 0
        self.problems: list[str] = []

    def try_all(self) -> None:
        """Every operation, each with some cases."""
        for number, found in enumerate(schemathesis.openapi.from_dict(openapi()).get_all_operations()):
            assert isinstance(found, Ok), found
            operation = found.ok()
            if (operation.method.upper(), operation.path) not in _NOT_CALLED:
                self._try(operation, number)

    def _try(self, operation: Any, number: int) -> None:
        @seed(number)
        @settings(max_examples=_EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            self._call(case, operation.method.upper(), operation.path, self._tokens[number % len(self._tokens)])

        call()

    def _path(self, case: Any, method: str, path: str) -> str:
        named = {name: quote(str(value), safe="") for name, value in (case.path_parameters or {}).items()}
        if self.calls % 4 and (method, path) not in _MADE_UP_ONLY:
            named |= {name: _THERE[name] for name in named if name in _THERE}
        for name, value in named.items():
            path = path.replace("{" + name + "}", value)
        return path

    def _call(self, case: Any, method: str, path: str, token: str) -> None:
        self.calls += 1
        shown = self._path(case, method, path)
        body = None if type(case.body).__name__ == "NotSet" else case.body
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        headers = {name: value for name, value in (case.headers or {}).items() if value.isascii() and value.isprintable()}
        headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._session.request(method, self._url + shown, headers=headers, timeout=30, allow_redirects=False, **sent)
            sent_path = urlsplit(answer.request.url or "").path
            hold(method, str(sent_path), answer.status_code, answer.headers.get("content-type", ""), answer.content)
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            return  # the client refuses to send it
        except (requests.exceptions.RequestException, AssertionError) as problem:
            self.problems.append(f"{method} {shown} {body!r:.200}: {str(problem)[:400]}")


@pytest.mark.timeout(3600)
async def test_nothing_made_up_breaks_anything(house: House) -> None:
    await house.create("shared")
    await house.client.post("/teams", json={"name": "acme"})
    await house.deploy("shared")
    await house.settle("shared")
    made = [await house.client.post("/oauth/authorizations", json={}) for _ in range(40)]
    tokens = [each.json()["access_token"]["token"] for each in made]
    async with served(house.api) as url:
        caller = _Caller(url, tokens)
        await asyncio.to_thread(caller.try_all)
    assert not caller.problems, "\n".join(caller.problems[:40])
    assert caller.calls > 100
