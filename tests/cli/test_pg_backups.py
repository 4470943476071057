"""pg:backups and pg:copy: what users are told, by a fake platform."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Senryu
from .fake_api import FakeApi

ID = "0b6c1a32-1111-4222-8333-444455556666"
_TRANSFERS = "/client/v11/apps/myapp/transfers"
_SCHEDULES = f"GET /client/v11/databases/{ID}/transfer-schedules"


def _transfer(num: int, **more: Any) -> dict[str, Any]:
    return {
        "canceled_at": None, "created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:09Z", "from_name": "DATABASE",
        "from_type": "gof3r", "logs": [], "num": num, "processed_bytes": 9, "schedule": None, "source_bytes": 9,
        "started_at": "2026-01-01T00:00:00Z", "succeeded": True, "to_name": "DATABASE", "to_type": "pg_restore",
        "to_url": None, "uuid": f"t-{num}", "warnings": 0, **more,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def attached(api: FakeApi) -> None:
    add_on = {"id": ID, "name": "pictures-db", "app": {"name": "myapp"}, "plan": {"name": "heroku-postgresql:standard-0"}}
    attachment = {"name": "DATABASE", "addon": add_on, "app": {"name": "myapp"}}
    api.on("POST /actions/addon-attachments/resolve", [attachment])
    api.on("GET /apps/myapp/addon-attachments", [attachment])


def test_a_restore_that_fails_is_not_called_done_and_no_signature_is_shown(api: FakeApi, senryu: Senryu) -> None:
    url = "https://files.example/my.dump?X-Amz-Signature=s3cret"
    failed = _transfer(3, succeeded=False, logs=[{"created_at": "now", "message": "The address answered 404."}])
    api.on(f"POST /client/v11/databases/{ID}/restores", failed)
    done = senryu("pg:backups:restore", "-a", "myapp", url, "DATABASE", "--confirm", "myapp")
    assert done.status == 1
    assert "Restoring https://files.example/my.dump to DATABASE... !" in done.err and "done" not in done.err
    assert "The address answered 404." in done.err and "s3cret" not in done.out + done.err
    assert api.asked(f"POST /client/v11/databases/{ID}/restores")[0].json == {"backup_url": url}


def test_an_address_of_another_kind_is_not_taken_for_a_backups_name(senryu: Senryu) -> None:
    done = senryu("pg:backups:restore", "-a", "myapp", "ftp://files.example/my.dump", "--confirm", "myapp")
    assert done.status == 1 and "http or https" in done.err


def test_a_schedule_is_ended_by_name_or_because_it_is_the_only_one(api: FakeApi, senryu: Senryu) -> None:
    api.on(_SCHEDULES, [])
    assert "No backup schedules on myapp" in senryu("pg:backups:unschedule", "-a", "myapp").err
    api.on(_SCHEDULES, [{"name": name, "uuid": name, "hour": 2, "timezone": "UTC"} for name in ("DATABASE_URL", "OTHER_URL")])
    several = senryu("pg:backups:unschedule", "-a", "myapp")
    assert several.status == 1 and "DATABASE_URL, OTHER_URL" in several.err
    unknown = senryu("pg:backups:unschedule", "-a", "myapp", "NOSUCH")
    assert unknown.status == 1 and "NOSUCH" in unknown.err and "DATABASE_URL, OTHER_URL" in unknown.err
    api.on(f"DELETE /client/v11/databases/{ID}/transfer-schedules/OTHER_URL", {})
    assert "OTHER_URL... done" in senryu("pg:backups:unschedule", "-a", "myapp", "other").err


def test_what_is_under_way_is_canceled_by_number_or_because_it_is_the_newest(api: FakeApi, senryu: Senryu) -> None:
    api.on(f"GET {_TRANSFERS}", [_transfer(1)])
    assert "Nothing is under way on myapp" in senryu("pg:backups:cancel", "-a", "myapp").err
    api.on(f"GET {_TRANSFERS}", [_transfer(1), *(_transfer(num, finished_at=None, to_type="gof3r", from_type="pg_dump") for num in (2, 3))])
    api.on(f"POST {_TRANSFERS}/t-3/actions/cancel", {})
    assert "Canceling b003... done" in senryu("pg:backups:cancel", "-a", "myapp").err
    api.on(f"GET {_TRANSFERS}/b002", _transfer(2, finished_at=None, to_type="gof3r", from_type="pg_dump"))
    api.on(f"POST {_TRANSFERS}/t-2/actions/cancel", {})
    assert "Canceling b002... done" in senryu("pg:backups:cancel", "-a", "myapp", "b002").err
