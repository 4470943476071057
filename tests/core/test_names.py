import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.account import checked_email, checked_password
from senryu.core.app import RESERVED, app_name
from senryu.core.errors import Invalid
from senryu.core.names import _FIRST, _SECOND, two_words
from senryu.core.stack import stack_name


@given(st.integers(0, 2**64 - 1))
def test_every_roll_is_a_good_app_name(roll: int) -> None:
    assert app_name(two_words(roll)) == two_words(roll)


def test_the_longest_words_make_a_good_app_name_too() -> None:
    longest = f"{max(_FIRST, key=len)}-{max(_SECOND, key=len)}-99999"
    assert app_name(longest) == longest
    assert len(set(_FIRST)) == len(_FIRST)
    assert len(set(_SECOND)) == len(_SECOND)


@pytest.mark.parametrize("name", ["abc", "a-b", "x" * 30, "a--b", "heroku-app"])
def test_names_heroku_takes_are_taken(name: str) -> None:
    assert app_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "ab-", "-ab", "1ab", "Ab", "a_b", "a.b", "a b", "ab\n", "x" * 31, "é-a", *sorted(RESERVED)])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        app_name(name)


@pytest.mark.parametrize("name", ["host", "heroku-24", "deb12.1", "a" * 62])
def test_stack_names(name: str) -> None:
    assert stack_name(name) == name
    for bad in (name + "\n", name.upper(), "-" + name, name + "/..", "a" * 63):
        with pytest.raises(Invalid):
            stack_name(bad)


def test_addresses_are_lower_case_and_passwords_have_a_length() -> None:
    assert checked_email(" Me+x@Example.COM ") == "me+x@example.com"
    for bad in ("", "me", "me@", "@x", "a b@x.y", "a@x y", "a\n@x.y", "a@x.y/z", 'a"@x.y', "é@x.y@z"):
        with pytest.raises(Invalid):
            checked_email(bad)
    assert checked_password("12345678") == "12345678"
    for bad in ("1234567", "x" * 1025, "ü" * 513):
        with pytest.raises(Invalid):
            checked_password(bad)
