"""What a route's function is given, as its signature says: read once, when its file is loaded.

By annotation it takes `Request`; what another function gives for the request (`Annotated[X, Depends(f)]`), which is asked alike and once a
request; or a name of the path, else of the query, as `str`, `str | None` or `UUID`. A default makes a name of the query optional.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from uuid import UUID

from starlette.requests import Request

from ..core.errors import BadRequest

_HEX = "[0-9a-f]"
_HYPHENATED = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_UUID = re.compile(rf"(?:urn:uuid:)?{_HYPHENATED}|\{{{_HYPHENATED}\}}|{_HEX}{{32}}", re.IGNORECASE)  # UUID() alone takes hyphens anywhere


@dataclass(frozen=True, slots=True)
class Depends:
    """In an annotation: this is what a function gives for the request. One that is not `async` must not wait for anything."""

    on: Callable[..., Any]


def _text(given: str | None) -> str:
    """Raises: ValueError when there is none."""
    if given is None:
        raise ValueError
    return given


def _uuid(given: str | None) -> UUID:
    """Raises: ValueError."""
    if _UUID.fullmatch(_text(given)) is None:
        raise ValueError
    return UUID(given)


_FORMS: dict[Any, Callable[[str | None], Any]] = {str: _text, str | None: _text, UUID: _uuid}


@dataclass(frozen=True, slots=True)
class _Word:
    """A part of the address."""

    name: str
    form: Callable[[str | None], Any]
    is_in_path: bool
    default: Any

    def of(self, request: Request) -> Any:
        """Its value; of several in the query the last. Raises: BadRequest when it is missing or of another form."""
        given = (request.path_params if self.is_in_path else request.query_params).get(self.name)
        if given is None and self.default is not inspect.Parameter.empty:
            return self.default
        try:
            return self.form(given)
        except ValueError:
            raise BadRequest("A part of the address has the wrong form; look at the id or name in it.") from None


@dataclass(frozen=True, slots=True)
class Asked:
    """A function with all that it is given."""

    function: Callable[..., Any]
    is_async: bool
    needs: tuple[tuple[str, Asked], ...]
    words: tuple[_Word, ...]
    requests: tuple[str, ...]


@cache
def asked_by(function: Callable[..., Any], names: frozenset[str]) -> Asked:
    """Reads a signature; `names` are those of the path. Raises: TypeError for a parameter of no known kind."""
    hints = get_type_hints(function, include_extras=True)
    needs, words, requests = [], [], []
    for parameter in inspect.signature(function).parameters.values():
        name, hint = parameter.name, hints.get(parameter.name)
        depends = next((each for each in get_args(hint) if isinstance(each, Depends)), None) if get_origin(hint) is Annotated else None
        if depends is not None:
            needs.append((name, asked_by(depends.on, names)))
        elif hint is Request:
            requests.append(name)
        elif hint in _FORMS:
            words.append(_Word(name, _FORMS[hint], name in names, parameter.default))
        else:
            raise TypeError(f"{function.__module__}.{function.__qualname__} takes `{name}`, which is nothing that a request has.")
    return Asked(function, inspect.iscoroutinefunction(function), tuple(needs), tuple(words), tuple(requests))


async def answer(asked: Asked, request: Request, known: dict[Callable[..., Any], Any]) -> Any:
    """Calls a function: first what it depends on, in the order of its parameters, then its own part of the address is looked at."""
    given: dict[str, Any] = {}
    for name, need in asked.needs:
        if need.function not in known:
            known[need.function] = await answer(need, request, known)
        given[name] = known[need.function]
    for word in asked.words:
        given[word.name] = word.of(request)
    for name in asked.requests:
        given[name] = request
    result = asked.function(**given)
    return await result if asked.is_async else result
