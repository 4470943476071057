"""The routes of the API: Starlette's, written above their functions, and found by the first part of a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from .asked import answer, asked_by

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Response]])


class Call(Route):
    """One method on one path. HEAD is a method of its own here: Starlette alone would answer it wherever it answers GET."""

    def __init__(self, method: str, path: str, function: Callable[..., Any]) -> None:
        super().__init__(path, self._answered, methods=[method])
        self.method, self.methods, self.endpoint = method, {method}, function
        self._asked = asked_by(function, frozenset(self.param_convertors))

    async def _answered(self, request: Request) -> Response:
        answered: Response = await answer(self._asked, request, {})
        return answered


class Router:
    """The calls of one file, in the order in which they are tried."""

    def __init__(self) -> None:
        self.routes: list[Call] = []

    def _call(self, method: str, path: str) -> Callable[[Endpoint], Endpoint]:
        def added(function: Endpoint) -> Endpoint:
            self.routes.append(Call(method, path, function))
            return function

        return added

    def get(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """The function below answers GET."""
        return self._call("GET", path)

    def post(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """The function below answers POST."""
        return self._call("POST", path)

    def put(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """The function below answers PUT."""
        return self._call("PUT", path)

    def patch(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """The function below answers PATCH."""
        return self._call("PATCH", path)

    def delete(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """The function below answers DELETE."""
        return self._call("DELETE", path)


def _first(path: str) -> str:
    return path.partition("/")[2].partition("/")[0]


def _may_be_anything(route: Route) -> bool:
    return "{" in _first(route.path)


class Table(BaseRoute):
    """All routes as one, in their order; only those are tried that begin with the path's first part, or with one that may be anything."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._open = [route for route in routes if _may_be_anything(route)]
        firsts = {_first(route.path) for route in routes}
        self._beginning = {first: [route for route in routes if _first(route.path) == first or _may_be_anything(route)] for first in firsts}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See BaseRoute: the first that takes the path and the method, else the first that takes the path, for its 405."""
        found: tuple[Match, Scope] = Match.NONE, {}
        first = _first(scope["path"].removesuffix("\n"))  # which the `$` of their patterns lets pass
        for route in self._beginning.get(first, self._open):
            match, more = route.matches(scope)
            if match is Match.FULL or (match is Match.PARTIAL and found[0] is Match.NONE):
                found = match, {**more, "route": route}
            if match is Match.FULL:
                break
        return found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See BaseRoute."""
        await scope["route"].handle(scope, receive, send)
