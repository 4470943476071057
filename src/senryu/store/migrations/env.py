"""Alembic's entry: run by `senryu.store.migrate`, never by hand."""

from alembic import context

from senryu.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, user_module_prefix="tables.")
with context.begin_transaction():
    context.run_migrations()
