"""How many dynos a user asks for."""

from __future__ import annotations

import pytest

from senryu.core.errors import Invalid
from senryu.core.formation import next_quantity


@pytest.mark.parametrize(("now", "wanted", "after"), [(1, "2", 2), (1, "+1", 2), (3, "-2", 1), (1, "-5", 0), (0, 7, 7)])
def test_quantities_are_absolute_or_relative(now: int, wanted: str | int, after: int) -> None:
    assert next_quantity(now, wanted) == after


@pytest.mark.parametrize("wanted", ["", "x", "1.5", "+", "101", "--1", "1e3"])
def test_what_is_no_quantity_is_refused(wanted: str) -> None:
    with pytest.raises(Invalid):
        next_quantity(0, wanted)
