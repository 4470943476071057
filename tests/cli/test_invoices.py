from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from senryu.cli.invoices import page

from .conftest import Senryu
from .fake_api import FakeApi, dyno

STATEMENT: dict[str, Any] = {
    "month": "2026-11", "number": 202611, "period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z", "state": 0,
    "total": 1712,
    "lines": [
        {"app": {"id": "1", "name": "shop"}, "cents": 1250, "kind": "dyno", "name": "web.1", "price_cents": 2500, "seconds": 1296000,
         "size": "Standard-1X"},
        {"app": {"id": "1", "name": "shop"}, "cents": 462, "kind": "add-on", "name": "postgresql-<1>", "price_cents": 900,
         "seconds": 3723, "size": "heroku-postgresql:essential-1"},
    ],
}  # fmt: skip


def test_usage_is_this_month_line_by_line(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /senryu/statements/now", STATEMENT)
    out = senryu("usage").out
    assert "2026-11 (so far)" in out
    assert "360:00:00" in out and "$25.00" in out and "$12.50" in out and "1:02:03" in out and "$17.12" in out
    api.on("GET /senryu/statements/now", {**STATEMENT, "lines": [], "total": 0})
    assert senryu("usage").err == "Nothing ran in 2026-11\n"


def test_invoices_lists_months_and_shows_one(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /account/invoices", [{"period_start": "2026-11-01T00:00:00Z", "total": 1712, "state": 0}])
    assert "2026-11" in (out := senryu("invoices").out) and "$17.12" in out and "open" in out
    api.on("GET /senryu/statements/2026-11", STATEMENT)
    assert "web.1" in senryu("invoices", "2026-11").out
    api.on("GET /senryu/statements/2026-11?team=my-team", STATEMENT)
    assert '"number": 202611' in senryu("invoices", "2026-11", "--team", "my-team", "--json").out


def test_a_statement_is_written_as_a_page_that_quotes_what_it_shows(api: FakeApi, senryu: Senryu, tmp_path: Path) -> None:
    api.on("GET /senryu/statements/2026-11", STATEMENT)
    file = tmp_path / "statement.html"
    assert senryu("invoices", "2026-11", "--html", str(file)).status == 0
    text = file.read_text()
    assert text.startswith("<!DOCTYPE html>") and "$17.12" in text and "postgresql-&lt;1&gt;" in text and "<1>" not in text
    assert senryu("invoices", "--html", str(file)).status != 0
    assert senryu("invoices", "2026-11", "--html", str(tmp_path / "no" / "folder.html")).status != 0
    assert "so far" in page(STATEMENT, "you@example.com") and "so far" not in page({**STATEMENT, "state": 1}, "x")


@pytest.mark.parametrize("used", [0, 3600 * 100 + 1500])
def test_ps_tells_the_hours_that_are_left(api: FakeApi, senryu: Senryu, used: int) -> None:
    api.on("GET /apps/myapp/dynos", [{**dyno("web.1"), "size": "Eco"}])
    api.on("GET /apps/myapp", {"id": "a", "owner": {"id": "1"}, "process_tier": "eco"})
    quota = {"account_quota": 3600000, "quota_used": used, "apps": [{"app_uuid": "a", "quota_used": used}], "size": "Eco"}
    api.on("GET /accounts/1/actions/get-quota?size=eco", quota)
    left = "899h 35m (89%)" if used else "1000h 0m (100%)"
    assert senryu("ps", "-a", "myapp").out.startswith(f"Eco dyno hours quota remaining this month: {left}\nEco dyno usage for this app: ")
    api.on("GET /apps/myapp", {"id": "a", "owner": {"id": "2"}, "process_tier": "eco"})
    assert "quota" not in senryu("ps", "-a", "myapp").out
