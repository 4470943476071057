"""What `senryu addons:create` says of what was made."""

from __future__ import annotations

import pytest

from .conftest import Senryu
from .fake_api import FakeApi


@pytest.mark.parametrize(
    ("state", "names", "cents", "said"),
    [
        ("provisioned", ["DATABASE_URL"], 500, "Created some-1 as DATABASE_URL ($5.00/month)"),
        ("provisioned", [], 0, "Created some-1 (free)"),
        ("provisioning", [], 0, "some-1 is being made; the app restarts with it then. `senryu addons:wait some-1` waits for it."),
    ],
)
def test_what_was_made_is_told_with_its_config_vars(
    senryu: Senryu, api: FakeApi, state: str, names: list[str], cents: int, said: str
) -> None:
    made = {"name": "some-1", "state": state, "config_vars": names, "provision_message": None, "plan": {"price": {"cents": cents}}}
    api.on("POST /apps/myapp/addons", made)
    assert senryu("addons:create", "some:plan", "-a", "myapp").out == f"{said}\n"
