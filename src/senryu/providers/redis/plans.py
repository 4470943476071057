"""The plans of `heroku-redis`. All but `mini` write to disk before they acknowledge.

Source: https://devcenter.heroku.com/articles/heroku-redis-plans (memory, connections).
"""

from __future__ import annotations

from ...core import key_value_store
from ...core.add_on import AddOnService, Plan
from ...core.limits import MIB


def _plan(slug: str, human_name: str, memory_mib: int, connections: int, price_cents: int, *, is_durable: bool = True) -> Plan:
    limits = {"bytes": memory_mib * MIB, "connections": connections, "durable": int(is_durable)}
    return Plan(key_value_store.SERVICE, slug, human_name, price_cents, limits, is_default=slug == "mini")


SERVICE = AddOnService(
    name=key_value_store.SERVICE,
    human_name="Heroku Key-Value Store",
    plans=(
        _plan("mini", "Mini", 25, 20, 300, is_durable=False),
        _plan("premium-0", "Premium 0", 50, 40, 1500),
        _plan("premium-1", "Premium 1", 100, 80, 3000),
        _plan("premium-2", "Premium 2", 250, 200, 6000),
        _plan("premium-3", "Premium 3", 500, 400, 12000),
        _plan("premium-5", "Premium 5", 1024, 1000, 20000),
    ),
    first_attachment="REDIS",
    later_attachments="HEROKU_REDIS",
    prefix="redis",
    aliases=("senryu-redis", "redis", "heroku-key-value-store"),
)
