"""Alembic's entry: always on a connection that the caller opened."""

from typing import Any

from alembic import context
from alembic.operations.ops import CreateTableOp

import storage.engine.schema  # noqa: F401 - so that every table is known
from storage.engine.columns import metadata
from storage.engine.migrate import is_declared


def leave_out_what_tables_say(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """What a table says of itself (`storage/engine/personal.py`) is no part of a database."""
    for script in directives:
        for one in script.upgrade_ops.ops:
            if isinstance(one, CreateTableOp):
                one.info = {}


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=is_declared,
    process_revision_directives=leave_out_what_tables_say,
)
with context.begin_transaction():
    context.run_migrations()
