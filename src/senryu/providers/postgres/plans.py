"""The plans of `heroku-postgresql`. Their limits: `bytes`, `connections`, `statement_s` (of one statement), `temp_bytes` (of one session),
how many backups are kept, and how many days back a new database can be made of it (`rollback_days`).

Source: https://devcenter.heroku.com/articles/heroku-postgres-plans, /heroku-postgres-backups (sizes, connections, retention; how many
manual backups is ours; prices are an operator's own affair: 0).
"""

from __future__ import annotations

from ...core.add_on import AddOnService, Plan
from ...core.database import SERVICE_NAME
from ...core.limits import GIB


def _plan(slug: str, human_name: str, size_gib: int, connections: int, price_cents: int, *, is_default: bool = False) -> Plan:
    is_essential = slug.startswith("essential")
    limits = {
        "bytes": size_gib * GIB,
        "connections": connections,
        "statement_s": 3600 if is_essential else 24 * 3600,
        "temp_bytes": min(size_gib * GIB // 4, GIB if is_essential else 8 * GIB),
        "manual_backups": 10 if is_essential else 25,
        "daily_backups": 7,
        "weekly_backups": 1 if is_essential else 4,
        "rollback_days": 0 if is_essential else 4,
    }
    return Plan(SERVICE_NAME, slug, human_name, price_cents, limits, is_default)


SERVICE = AddOnService(
    name=SERVICE_NAME,
    human_name="Heroku Postgres",
    plans=(
        _plan("essential-0", "Essential 0", 1, 20, 500, is_default=True),
        _plan("essential-1", "Essential 1", 10, 20, 900),
        _plan("essential-2", "Essential 2", 32, 40, 2000),
        _plan("standard-0", "Standard 0", 64, 120, 5000),
        _plan("standard-2", "Standard 2", 256, 400, 20000),
    ),
    first_attachment="DATABASE",
    later_attachments="HEROKU_POSTGRESQL",
    prefix="postgresql",
    aliases=("senryu-postgresql", "postgresql", "postgres"),
)
