"""Runs and writes migrations with Alembic, which takes a tenth of the startup time to load."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def run_missing(connection: Connection, folder: Path) -> None:
    """Run the missing migrations of `folder`, in the transaction of `connection`."""
    command.upgrade(_config(connection, folder), "head")


def write_draft(connection: Connection, folder: Path, revision: str, message: str) -> None:
    """Write a migration from the schema of `connection` to the declared tables."""
    config = _config(connection, folder)
    command.revision(config, message, rev_id=revision, autogenerate=True)


def _config(connection: Connection, folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes["connection"] = connection
    return config
