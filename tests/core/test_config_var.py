import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.config_var import change_description, changed, checked_key
from senryu.core.errors import Invalid
from senryu.core.limits import CONFIG_VARS_MAX_BYTES


@pytest.mark.parametrize("key", ["A", "_a", "A1_b", "K" * 256, "HEROKU_X", "DATABASE_URL"])
def test_keys_a_shell_could_hold_are_taken(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A B", "A=", "__A", "K" * 257, "A\n", "\nA", "Ä", "PORT", "LD_PRELOAD", "BASH_ENV"])
def test_other_keys_are_refused_by_name(key: str) -> None:
    with pytest.raises(Invalid):
        checked_key(key)


@given(
    before=st.dictionaries(st.sampled_from("ABCD"), st.text(max_size=3).filter(lambda text: "\0" not in text)),
    changes=st.dictionaries(st.sampled_from("ABCDE"), st.one_of(st.none(), st.text(max_size=3).filter(lambda text: "\0" not in text))),
)
def test_after_a_change_every_key_is_what_was_asked_or_what_it_was(before: dict[str, str], changes: dict[str, str | None]) -> None:
    try:
        after = changed(before, changes)
    except Invalid:
        assert any(value is not None and not value.isascii() for value in changes.values())
        return
    for key in "ABCDE":
        assert after.get(key) == (changes[key] if key in changes else before.get(key))
    assert (change_description(before, after) is None) == (before == after)


def test_a_description_has_names_and_never_values() -> None:
    assert change_description({"A": "secret"}, {"A": "other", "B": "x"}) == "Set A, B config vars"
    assert change_description({"A": "secret", "B": "x"}, {}) == "Remove A, B config vars"


def test_the_limit_is_64_kb_of_keys_and_values_together() -> None:
    assert changed({}, {"A": "x" * (CONFIG_VARS_MAX_BYTES - 1)})
    with pytest.raises(Invalid, match="65537 bytes"):
        changed({}, {"A": "x" * CONFIG_VARS_MAX_BYTES})
    with pytest.raises(Invalid, match="NUL"):
        changed({}, {"A": "\0"})
    with pytest.raises(Invalid, match="UTF-8"):
        changed({}, {"A": "\ud800"})
