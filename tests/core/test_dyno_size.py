from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.dyno_size import BUILT_IN, SIZES, Sizes, check_one_off, check_together, checked_size_name
from senryu.core.errors import Forbidden, Invalid


def _refused(wanted: dict[str, tuple[int, str]]) -> str:
    with pytest.raises(Invalid) as refused:
        check_together(BUILT_IN, wanted)
    return refused.value.message


def test_cheap_sizes_are_not_mixed_with_others() -> None:
    assert _refused({"web": (1, "Free"), "worker": (0, "Basic")}) == "Cannot use the following dyno types in the same app: Free and Basic"
    assert _refused({"web": (1, "Standard-1X"), "worker": (1, "Eco")}).endswith("in the same app: Eco and Standard-1X")
    check_together(BUILT_IN, {"web": (3, "Standard-1X"), "worker": (2, "Performance-M"), "clock": (1, "Basic")})


def test_a_free_app_has_one_dyno_of_a_type_and_two_in_all() -> None:
    assert _refused({"web": (2, "Free")}) == "Cannot update to more than 1 Free size dynos per process type."
    assert _refused({"web": (1, "Free"), "worker": (1, "free"), "clock": (1, "Free")}) == "Cannot run more than 2 Free size dynos."
    check_together(BUILT_IN, {"web": (1, "Free"), "worker": (1, "Free"), "clock": (0, "Free")})


def test_one_free_one_off_dyno_runs_at_a_time_beside_one_other() -> None:
    check_one_off(SIZES["free"], ["Free"], 0)
    with pytest.raises(Invalid) as second:
        check_one_off(SIZES["free"], ["Free", "Free"], 1)
    assert (second.value.id, second.value.message) == ("cannot_run_above_limit", "Cannot run more than 1 Free size dynos.")
    with pytest.raises(Invalid) as third:
        check_one_off(SIZES["free"], ["Free", "Free"], 0)
    assert third.value.message == "Cannot run more than 2 Free size dynos."
    check_one_off(SIZES["standard-1x"], ["Standard-1X"] * 40, 40)


def test_a_size_kept_for_some_is_refused_to_others() -> None:
    friend = uuid4()
    kept = BUILT_IN.named("performance-l").changed({"price_cents": 1})
    sizes = Sizes({**SIZES, kept.key: replace(kept, allowed=(str(friend),))})
    assert sizes.for_payer("performance-l", friend).price_cents == 1
    with pytest.raises(Forbidden):
        sizes.for_payer("performance-l", uuid4())


def test_a_size_no_longer_offered_is_still_known_to_what_has_it() -> None:
    gone = SIZES["eco"].changed({"is_offered": False})
    sizes = Sizes({**SIZES, "eco": gone})
    assert sizes.known("eco") == gone
    with pytest.raises(Invalid, match="Couldn't find the dyno size `eco`"):
        sizes.named("eco")


@pytest.mark.parametrize(
    "changes", [{"name": "x"}, {"memory_bytes": 0}, {"price_cents": -1}, {"pids": True}, {"is_offered": 1}, {"allowed": []}, {"huh": 1}]
)
def test_what_no_size_can_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        SIZES["basic"].changed(changes)


@given(st.text(max_size=40))
def test_a_new_name_is_letters_digits_and_hyphens_or_refused(name: str) -> None:
    try:
        assert checked_size_name(name).replace("-", "a").isalnum() and name.isascii()
    except Invalid:
        pass
