"""The tables of apps that sleep, and of what ran for how long. Usage outlives the apps it is of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Uuid

from .tables import Moment, metadata

# `reason`: `idle`, or `hours` when its account has none left this month.
sleeping_apps = Table(
    "sleeping_apps",
    metadata,
    Column("app_id", Uuid, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String(16), nullable=False),
    Column("since", Moment, nullable=False),
)

# One row for each time that something ran at one price for one payer: a dyno's start, an add-on's plan. `part` counts on where the price
# or the payer changed meanwhile. `price_cents` -1: what the plan costs now; once that changes, what is over has the number of before
# (plan_prices.py).
usage = Table(
    "usage",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("payer_id", Uuid, nullable=False, index=True),
    Column("app_id", Uuid, nullable=False, index=True),
    Column("app_name", String(30), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(255), nullable=False),
    Column("size", String(130), nullable=False),
    Column("price_cents", Integer, nullable=False),
    Column("is_pooled", Boolean, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, index=True),
)

# What rows of `usage` that are over came to, by month.
usage_totals = Table(
    "usage_totals",
    metadata,
    Column("payer_id", Uuid, primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("app_id", Uuid, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("size", String(130), primary_key=True),
    Column("price_cents", Integer, primary_key=True),
    Column("is_pooled", Boolean, primary_key=True),
    Column("app_name", String(30), nullable=False),
    Column("microseconds", BigInteger, nullable=False),
)
