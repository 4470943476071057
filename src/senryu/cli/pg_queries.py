"""pg:ps, :kill, :locks, :blocking, :bloat, :outliers, :calls, :extensions, … : questions asked of a database through psql.

Source: https://devcenter.heroku.com/articles/managing-heroku-postgres-using-cli; PostgreSQL documentation, "Monitoring Database Activity"
"""

from __future__ import annotations

from collections.abc import Callable

from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.pg_database import attachment
from senryu.cli.pg_psql import psql
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_MINE = "datname = current_database() AND pid <> pg_backend_pid()"
_TABLES = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)'"
_INDEXES = "FROM pg_stat_user_indexes i"

_PS = """
    SELECT pid, state, application_name AS source, usename AS username, now() - xact_start AS running_for,
           wait_event IS NOT NULL AS waiting, query
    FROM pg_stat_activity WHERE $MINE$ONLY ORDER BY query_start DESC"""
_OUTLIERS = """
    SELECT interval '1 millisecond' * total_exec_time AS total_exec_time,
           round((100 * total_exec_time / sum(total_exec_time) OVER ())::numeric, 1) || '%' AS prop_exec_time, calls,
           interval '1 millisecond' * (blk_read_time + blk_write_time) AS sync_io_time, $QUERY AS query
    FROM pg_stat_statements WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    ORDER BY $ORDER DESC LIMIT $NUMBER"""
QUESTIONS: dict[str, str] = {
    "pg:locks": """
        SELECT a.pid, l.relation::regclass AS relation, l.mode, l.granted, now() - a.query_start AS age, a.query
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND l.mode LIKE '%ExclusiveLock' ORDER BY a.query_start""",
    "pg:blocking": """
        SELECT pid AS blocked_pid, query AS blocked_statement, now() - query_start AS blocked_duration,
               pg_blocking_pids(pid) AS blocking_pids
        FROM pg_stat_activity WHERE $MINE AND cardinality(pg_blocking_pids(pid)) > 0 ORDER BY query_start""",
    "pg:bloat": """
        SELECT 'table' AS type, schemaname AS schema, relname AS object, n_live_tup AS live, n_dead_tup AS dead,
               round(n_dead_tup::numeric / greatest(n_live_tup, 1), 2) AS dead_per_live,
               pg_size_pretty(pg_relation_size(relid) * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1)) AS waste, last_autovacuum
        FROM pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 50""",
    "pg:long-running-queries": """
        SELECT pid, now() - query_start AS duration, query FROM pg_stat_activity
        WHERE $MINE AND state = 'active' AND query_start < now() - interval '5 minutes' ORDER BY query_start""",
    "pg:cache-hit": """
        SELECT 'table hit rate' AS name, sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0) AS ratio
        FROM pg_statio_user_tables
        UNION ALL SELECT 'index hit rate', sum(idx_blks_hit) / nullif(sum(idx_blks_hit + idx_blks_read), 0) FROM pg_statio_user_indexes""",
    "pg:index-usage": """
        SELECT relname, 100 * idx_scan / nullif(seq_scan + idx_scan, 0) AS percent_of_times_index_used, n_live_tup AS rows_in_table
        FROM pg_stat_user_tables ORDER BY n_live_tup DESC""",
    "pg:index-size": f"SELECT indexrelname AS name, pg_size_pretty(pg_relation_size(indexrelid)) AS size {_INDEXES} ORDER BY "
    "pg_relation_size(indexrelid) DESC",
    "pg:total-index-size": f"SELECT pg_size_pretty(sum(pg_relation_size(indexrelid))) AS size {_INDEXES}",
    "pg:table-size": f"SELECT c.relname AS name, pg_size_pretty(pg_table_size(c.oid)) AS size {_TABLES} ORDER BY pg_table_size(c.oid) DESC",
    "pg:table-indexes-size": f"SELECT c.relname AS name, pg_size_pretty(pg_indexes_size(c.oid)) AS index_size {_TABLES} "
    "ORDER BY pg_indexes_size(c.oid) DESC",
    "pg:total-table-size": f"SELECT c.relname AS name, pg_size_pretty(pg_total_relation_size(c.oid)) AS size {_TABLES} "
    "ORDER BY pg_total_relation_size(c.oid) DESC",
    "pg:records-rank": "SELECT relname AS name, n_live_tup AS estimated_count FROM pg_stat_user_tables ORDER BY n_live_tup DESC",
    "pg:seq-scans": "SELECT relname AS name, seq_scan AS count FROM pg_stat_user_tables ORDER BY seq_scan DESC",
    "pg:unused-indexes": f"""
        SELECT i.schemaname || '.' || i.relname AS table, i.indexrelname AS index, pg_size_pretty(pg_relation_size(i.indexrelid)) AS size,
               i.idx_scan AS scans {_INDEXES} JOIN pg_index x USING (indexrelid)
        WHERE NOT x.indisunique AND i.idx_scan < 50 AND pg_relation_size(i.relid) > 40960 ORDER BY pg_relation_size(i.indexrelid) DESC""",
    "pg:vacuum-stats": """
        SELECT schemaname AS schema, relname AS table, last_vacuum, last_autovacuum, n_live_tup AS live, n_dead_tup AS dead
        FROM pg_stat_user_tables ORDER BY n_dead_tup DESC""",
    "pg:user-connections": """
        SELECT usename AS user, count(*) AS connections FROM pg_stat_activity WHERE datname = current_database()
        GROUP BY 1 ORDER BY 2 DESC""",
    "pg:extensions": """
        SELECT name, default_version, installed_version, comment FROM pg_available_extensions
        WHERE name = ANY (string_to_array(current_setting('extwlist.extensions'), ',')) ORDER BY name""",
}


def _asked(typed: Typed, question: str, name: str | None = None) -> int:
    with PlatformApi() as api:
        words = ("-X", "-P", "pager=off", "-c", question.replace("$MINE", _MINE))
        return psql(api, app_for(typed), typed.first() if name is None else name, *words)


def _asking(question: str) -> Callable[[Typed], int]:
    return lambda typed: _asked(typed, question)


def _ps(typed: Typed) -> int:
    return _asked(typed, _PS.replace("$ONLY", "" if typed.on("verbose") else " AND state <> 'idle'"))


def _kill(typed: Typed) -> int:
    pid = typed.first()
    if not pid.isascii() or not pid.isdigit():
        raise Failure(f"`{pid}` is no process; `senryu pg:ps` lists them")
    how = "pg_terminate_backend" if typed.on("force") else "pg_cancel_backend"
    return _asked(typed, f"SELECT {how}({int(pid)})", typed.args[1] if len(typed.args) > 1 else "")


def _statements(order: str) -> Callable[[Typed], int]:
    def run(typed: Typed) -> int:
        if typed.on("reset"):
            with PlatformApi() as api:
                found = attachment(api, app_for(typed), typed.first())
                api.put(path_of("client", "v11", "databases", found["addon"]["id"], "stats_reset"), {})
            return 0
        question = _OUTLIERS.replace("$QUERY", "left(query, 40)" if typed.on("truncate") else "query")
        return _asked(typed, question.replace("$ORDER", order).replace("$NUMBER", str(typed.number("num", 10))))

    return run


_STATEMENTS = (
    *AN_APP,
    Flag("num", "n", "COUNT", "how many statements (10)"),
    Flag("truncate", "t", "", "show the beginning of each only"),
    Flag("reset", "", "", "count from 0 again"),
)
TOPIC = {
    **{name: Command(_asking(question), "[DATABASE]", AN_APP, most=1, examples=(name,)) for name, question in QUESTIONS.items()},
    "pg:ps": Command(_ps, "[DATABASE]", (*AN_APP, Flag("verbose", "v", "", "idle ones too")), most=1, examples=("pg:ps",)),
    "pg:kill": Command(
        _kill,
        "PID [DATABASE]",
        (*AN_APP, Flag("force", "f", "", "end the connection, not only its statement")),
        least=1,
        most=2,
        examples=("pg:kill 1234",),
    ),
    "pg:outliers": Command(_statements("total_exec_time"), "[DATABASE]", _STATEMENTS, most=1, examples=("pg:outliers",)),
    "pg:calls": Command(_statements("calls"), "[DATABASE]", _STATEMENTS, most=1, examples=("pg:calls",)),
}
