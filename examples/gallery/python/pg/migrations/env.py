"""How `flask db upgrade` reaches the database."""

import logging

from alembic import context
from flask import current_app

logging.basicConfig(level=logging.INFO)
db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
