"""Which databases may follow which, and where they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from senryu.core.add_on import AddOn, AddOnState
from senryu.core.errors import Conflict, Invalid, PlatformError
from senryu.core.follower import behind_text, check_can_follow, check_is_own, check_stays, followed_anew, follower_url
from senryu.providers.postgres import SERVICE

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADER = AddOn(
    uuid4(), uuid4(), "leader", SERVICE.name, "standard-0", AddOnState.PROVISIONED, _NOW, _NOW, {"URL": "postgres://u:p%40@10.0.0.1:5432/d"}
)
FOLLOWER = replace(LEADER, id=uuid4(), name="follower", follows=LEADER.id, config={"URL": "postgres://u:old@10.0.0.1:5433/d"})


def test_a_standard_database_follows_one_that_is_no_larger() -> None:
    check_can_follow(LEADER, SERVICE, SERVICE, SERVICE.plan("standard-2"))


@pytest.mark.parametrize(
    ("leader", "plan"),
    [
        (replace(LEADER, plan="essential-0"), "standard-0"),
        (LEADER, "essential-2"),
        (replace(LEADER, plan="standard-2"), "standard-0"),
        (FOLLOWER, "standard-0"),
        (replace(LEADER, service="heroku-redis"), "standard-0"),
        (replace(LEADER, state=AddOnState.PROVISIONING), "standard-0"),
    ],
)
def test_another_does_not(leader: AddOn, plan: str) -> None:
    with pytest.raises(PlatformError):
        check_can_follow(leader, SERVICE, SERVICE, SERVICE.plan(plan))


def test_another_service_does_not() -> None:
    with pytest.raises(Invalid):
        check_can_follow(LEADER, SERVICE, replace(SERVICE, name="heroku-redis"), SERVICE.plan("standard-0"))


def test_a_followed_leader_stays_and_a_follower_is_not_changed() -> None:
    check_stays(LEADER, [])
    check_is_own(LEADER)
    with pytest.raises(Conflict, match="followed by follower"):
        check_stays(LEADER, [FOLLOWER])
    with pytest.raises(Conflict, match="follower follows"):
        check_is_own(FOLLOWER)


def test_a_follower_has_the_leaders_credential_elsewhere() -> None:
    assert follower_url(LEADER.config["URL"], "10.0.0.1", 5433) == "postgres://u:p%40@10.0.0.1:5433/d"
    assert followed_anew("postgres://u:new@10.0.0.1:5432/d", FOLLOWER.config["URL"]) == "postgres://u:new@10.0.0.1:5433/d"
    assert (behind_text(None), behind_text(1.4)) == ("being made", "1 s")
