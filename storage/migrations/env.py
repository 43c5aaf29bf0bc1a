"""Alembic's entry: always on a connection that the caller opened."""

from alembic import context

import storage.schema  # noqa: F401 - so that every table is known
from storage.columns import metadata
from storage.migrate import is_declared

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=is_declared,
)
with context.begin_transaction():
    context.run_migrations()
