"""Rows in, nouns out. The only room that writes SQL."""

from . import webhook_tables as webhook_tables  # so that `tables.metadata` is whole
