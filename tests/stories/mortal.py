"""A platform that dies: from its `at`-th step outward on, nothing it asks of its database, engine or router happens any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from house import House


class Killed(BaseException):
    """What kill -9 looks like from inside: no code of ours catches it."""


class Mortal:
    """Counts every transaction's commit and every call to engine and router, before and after; dies at the `at`-th count."""

    def __init__(self, house: House, at: int) -> None:
        self.count = 0
        self.point = ""
        self._at = at
        self._undo: list[Callable[[], None]] = []
        for name in ("start", "signal", "remove", "dynos"):
            self._patch(house.engine, name, self._call(getattr(house.engine, name), f"engine.{name}"))
        for name in ("apply", "remove", "routes"):
            self._patch(house.router, name, self._call(getattr(house.router, name), f"router.{name}"))
        self._patch(house.db, "transaction", self._transaction(house.db.transaction))
        self._patch(house.db, "reading", self._reading(house.db.reading))

    @property
    def is_dead(self) -> bool:
        return self.count >= self._at

    def bury(self) -> None:
        """What comes next lives."""
        for undo in self._undo:
            undo()

    def _patch(self, thing: Any, name: str, mortal: Any) -> None:
        setattr(thing, name, mortal)
        self._undo.append(lambda: delattr(thing, name))

    def _step(self, point: str) -> None:
        if not self.is_dead:
            self.count += 1
            self.point = point
        if self.is_dead:
            raise Killed

    def _call(self, real: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        async def mortal(*args: Any, **named: Any) -> Any:
            self._step(f"before {name}")
            answer = await real(*args, **named)
            self._step(f"after {name}")
            return answer

        return mortal

    def _transaction(self, real: Callable[[], Any]) -> Callable[[], Any]:
        @asynccontextmanager
        async def mortal() -> AsyncIterator[Any]:
            if self.is_dead:
                raise Killed
            async with real() as tx:
                yield tx
                self._step("before commit")
            self._step("after commit")

        return mortal

    def _reading(self, real: Callable[[], Any]) -> Callable[[], Any]:
        @asynccontextmanager
        async def mortal() -> AsyncIterator[Any]:
            if self.is_dead:
                raise Killed
            async with real() as tx:
                yield tx

        return mortal
