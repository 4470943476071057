"""Rows in, nouns out. The only room that writes SQL."""

from . import account_tables as account_tables  # so that `tables.metadata` is whole
from . import add_on_tables as add_on_tables
from . import scheduler_tables as scheduler_tables
from . import transfer_tables as transfer_tables
from . import usage_tables as usage_tables
from . import webhook_tables as webhook_tables
