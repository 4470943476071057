"""What usually is wrong with a database, looked for.

Source: https://devcenter.heroku.com/articles/heroku-postgres-monitoring (pg:diagnose), PostgreSQL documentation, "Monitoring".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.add_on import Plan
from ...core.database import Finding, pretty

_ROWS_MAX = 10
_LONG = """
SELECT pid::text, (now() - query_start)::text AS duration, left(query, 200) AS query FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query_start < now() - interval '1 minute'
ORDER BY query_start LIMIT $1
"""
_IDLE = """
SELECT pid::text, (now() - state_change)::text AS duration, left(query, 200) AS query FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND state_change < now() - interval '1 minute'
ORDER BY state_change LIMIT $1
"""
_BLOCKED = """
SELECT a.pid::text AS blocked_pid, array_to_string(pg_blocking_pids(a.pid), ',') AS blocking_pid, left(a.query, 200) AS blocked_statement,
       (now() - a.query_start)::text AS blocked_duration
FROM pg_stat_activity a WHERE a.datname = current_database() AND cardinality(pg_blocking_pids(a.pid)) > 0 LIMIT $1
"""
_UNUSED = """
SELECT s.schemaname || '.' || s.relname || '::' || s.indexrelname AS index, pg_size_pretty(pg_relation_size(s.indexrelid)) AS size,
       s.idx_scan::text AS scans
FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
WHERE NOT i.indisunique AND s.idx_scan < 50 AND pg_relation_size(s.indexrelid) > 1048576
ORDER BY pg_relation_size(s.indexrelid) DESC LIMIT $1
"""
_DEAD = """
SELECT schemaname || '.' || relname AS object, n_dead_tup::text AS dead_rows, n_live_tup::text AS live_rows FROM pg_stat_user_tables
WHERE n_dead_tup > 10000 AND n_dead_tup > n_live_tup / 2 ORDER BY n_dead_tup DESC LIMIT $1
"""
_HITS = """
SELECT 'tables' AS name, round(sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0), 3) AS ratio,
       sum(heap_blks_hit + heap_blks_read) AS reads FROM pg_statio_user_tables
"""
_SIZE = "SELECT pg_database_size(oid) FROM pg_database WHERE datname = current_database()"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def diagnosis(inside: Any, plan: Plan) -> Sequence[Finding]:
    """Runs every check. `inside` is a superuser's connection to the database."""
    return [
        _part_used("Connection Count", await inside.fetchval(_SESSIONS), plan.limits["connections"], str),
        _part_used("Size", await inside.fetchval(_SIZE), plan.limits["bytes"], pretty),
        await _found(inside, "Long Queries", _LONG, "yellow"),
        await _found(inside, "Idle in Transaction", _IDLE, "red"),
        await _found(inside, "Blocking Queries", _BLOCKED, "red"),
        await _found(inside, "Indexes", _UNUSED, "yellow"),
        await _found(inside, "Bloat", _DEAD, "red"),
        await _hit_rate(inside),
    ]


async def _found(inside: Any, name: str, query: str, status: str) -> Finding:
    rows: list[Mapping[str, str]] = [{key: str(value) for key, value in row.items()} for row in await inside.fetch(query, _ROWS_MAX)]
    return Finding(name, status if rows else "green", rows)


def _part_used(name: str, used: int, most: int, shown: Any) -> Finding:
    status = "red" if used > most * 9 // 10 else "yellow" if used > most * 3 // 4 else "green"
    return Finding(name, status, [{"used": shown(used), "limit": shown(most)}] if status != "green" else [])


async def _hit_rate(inside: Any) -> Finding:
    row = await inside.fetchrow(_HITS)
    is_low = row["reads"] is not None and row["reads"] > 10_000 and row["ratio"] < 0.9
    return Finding("Hit Rate", "red" if is_low else "green", [{"name": row["name"], "ratio": str(row["ratio"])}] if is_low else [])
