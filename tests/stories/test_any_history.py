"""Whatever sequence of changes an app went through: going back to a version gives exactly that version's snapshot."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from house import House, house_at

KEYS = st.sampled_from(["A", "B", "C"])


@dataclass(frozen=True)
class Set:
    key: str
    value: str | None


@dataclass(frozen=True)
class Deploy:
    command: str


@dataclass(frozen=True)
class Rollback:
    to: int  # among the versions there are, modulo


Change = Set | Deploy | Rollback
CHANGES = st.lists(
    st.one_of(
        st.builds(Set, KEYS, st.one_of(st.none(), st.sampled_from(["1", "2", "ünï", ""]))),
        st.builds(Deploy, st.sampled_from(["one", "two", "three"])),
        st.builds(Rollback, st.integers(0, 30)),
    ),
    max_size=12,
)
Snapshot = tuple[dict[str, str], str | None]


async def _apply(house: House, change: Change, model: list[Snapshot]) -> None:
    """Makes the change and notes in the model what the next version must be."""
    config, code = model[-1]
    match change:
        case Set(key, value):
            after = {name: text for name, text in config.items() if name != key} | ({key: value} if value is not None else {})
            assert (await house.client.patch("/apps/any/config-vars", json={key: value})).json() == after
            if after != config:
                model.append((after, code))
        case Deploy(command):
            await house.deploy("any", f"web: {command}")
            model.append((config, command))
        case Rollback(to):
            version = to % len(model) + 1
            answer = await house.client.post("/apps/any/releases", json={"release": f"v{version}"})
            if model[version - 1][1] is None:
                assert answer.status_code == 422
            else:
                assert answer.status_code == 201
                model.append(model[version - 1])


async def _live_through(home: Path, empty_database: Path, changes: list[Change]) -> None:
    async with house_at(home, empty_database) as house:
        await house.create("any")
        model: list[Snapshot] = [({}, None)]
        for change in changes:
            await _apply(house, change, model)
        stored = [(dict(release.config_vars), release.process_types.get("web")) for release in await house.releases("any")]
        assert stored == model
        await house.settle("any")
        assert [dyno.order.command for dyno in await house.serving("any")] == ([model[-1][1]] if model[-1][1] else [])


_UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=_UNCHECKED)
@given(changes=CHANGES)
def test_every_version_stays_the_snapshot_it_was(empty_database: Path, changes: list[Change]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live_through(Path(folder) / "home", empty_database, changes))
