"""The entry point of Alembic, which always uses a connection that the caller opened."""

from typing import Any, Literal

from alembic import context
from alembic.operations.ops import CreateTableOp
from sqlalchemy.types import TypeDecorator

import storage.engine.schema  # noqa: F401 - so that every table is known
from storage.engine.columns import metadata
from storage.engine.migrate import is_declared


def leave_out_info(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Leave `info` out of migrations: it declares personal data and is not part of the schema."""
    for script in directives:
        for one in script.upgrade_ops.ops:
            if isinstance(one, CreateTableOp):
                one.info = {}


def copy_type(kind: str, found: Any, _context: Any) -> str | Literal[False]:
    """Write the SQL type in place of our own: a migration must not depend on later code."""
    if kind == "type" and isinstance(found, TypeDecorator):
        return f"sa.{found.impl!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=is_declared,
    render_item=copy_type,
    process_revision_directives=leave_out_info,
)
with context.begin_transaction():
    context.run_migrations()
