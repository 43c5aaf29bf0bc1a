"""Parley's command line: reads the settings, then serves or runs an operator's command."""

import gc

gc.disable()  # loading creates no garbage, and collections took a sixth of the startup time

import asyncio
import signal
import sqlite3
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import uvloop

from handlers import SYSTEMS
from handlers.kit.registry import load_domains
from handlers.kit.uniqueness import WrongDeclaration
from handlers.platform.send.contracts import State
from handlers.platform.send.lookup import STATES, Search
from server import operator, sent_mail
from server.app import App
from server.backup.archive import BackupError
from server.backup.making import make_backup
from server.backup.restoring import complete_restore, restore
from server.catalog import Catalog
from server.demo import NotEmpty, NotServed, fill
from server.drain import Orders
from server.fixture import make_fixture
from server.logs import set_up_logs
from server.own_files import keep_private
from server.serving import FolderInUse, serve
from server.settings import Settings, WrongSetting, describe_settings, read_settings
from storage.engine.database import StorageUnavailable
from storage.engine.migrate import UnknownSchema, draft_revision
from storage.events.deliveries import Queue
from storage.objects.copying import CopyUnderWay

gc.freeze()  # all that is loaded stays
gc.enable()


class Commands(click.Group):
    """All commands. The help ends with the settings; a wrong declaration ends with exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except WrongDeclaration as error:
            click.echo(f"parley: cannot start: {error}", err=True)
            sys.exit(1)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\n" + describe_settings() + "\n")


def settings_or_exit() -> Settings:
    """Read the settings, or print an error and exit with code 2."""
    try:
        settings = read_settings()
    except WrongSetting as error:
        click.echo(f"parley: {error}", err=True)
        sys.exit(2)
    set_up_logs(settings.environment.log)
    keep_private(settings)
    with refusing("complete the restore"):
        complete_restore(settings)
    return settings


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """If a backup or a restore fails, print an error and exit with code 1."""
    try:
        yield
    except (
        *(BackupError, FolderInUse, CopyUnderWay),
        *(StorageUnavailable, sqlite3.Error, OSError),
    ) as error:
        click.echo(f"parley: cannot {what}: {error}", err=True)
        sys.exit(1)


@contextmanager
def known_schema() -> Iterator[None]:
    """If this version cannot use the database, print an error and exit with code 1."""
    try:
        yield
    except UnknownSchema as unknown:
        click.echo(f"parley: cannot start: the database's {unknown}", err=True)
        sys.exit(1)


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Serve Parley (the default), or run one of the commands below."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(start)


@main.command(name="serve")
def start() -> None:
    """Run the server. SIGTERM drains clients before the stop; SIGINT stops at once."""
    settings = settings_or_exit()

    async def run() -> None:
        orders = Orders()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, orders.end)
        loop.add_signal_handler(signal.SIGINT, orders.stop.set)
        await serve(App(settings), orders)

    try:
        with known_schema():
            uvloop.run(run())
    except (OSError, FolderInUse) as error:
        click.echo(f"parley: cannot start: {error}", err=True)
        sys.exit(1)


class OperatorsRole(click.ParamType[str]):
    """The name of a role that an operator can grant and revoke."""

    name = "role"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        roles = load_domains(SYSTEMS).roles.values()
        names = [role.name for role in roles if role.granted_by == "operator"]
        if value not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}", param, ctx)
        return value


def once(work: Callable[[App], Awaitable[Any]]) -> Any:
    """Run `work` on an instance that does not serve clients."""
    settings = settings_or_exit()
    with known_schema():
        return uvloop.run(operator.with_app(settings, work))


def or_exit(work: Callable[[App], Awaitable[Any]]) -> Any:
    """Run `work`; if it is refused, print an error and exit with code 2."""
    try:
        return once(work)
    except operator.CannotDo as refused:
        click.echo(f"parley: {refused}", err=True)
        sys.exit(2)


@main.command()
@click.argument("email")
@click.argument("role", type=OperatorsRole())
def grant(email: str, role: str) -> None:
    """Grant ROLE to the user with the address EMAIL."""
    if not once(lambda app: operator.grant(app, email, role)):
        click.echo(f"parley: no user has the address {email}", err=True)
        sys.exit(1)
    click.echo(f"{email} now has the role {role}")


@main.command()
@click.argument("email")
@click.argument("role", type=OperatorsRole())
def revoke(email: str, role: str) -> None:
    """Revoke ROLE from the user with the address EMAIL."""
    if not once(lambda app: operator.revoke(app, email, role)):
        click.echo(f"parley: no user has the address {email}", err=True)
        sys.exit(1)
    click.echo(f"{email} no longer has the role {role}")


@main.command()
@click.argument("action", type=click.Choice(["list", "retry", "skip", "purge"]), default="list")
@click.argument("consumer", default="")
@click.argument("order_key", default="")
def parked(action: str, consumer: str, order_key: str) -> None:
    """List parked deliveries, and deliveries of unknown consumers.

    retry or skip those of CONSUMER ORDER_KEY; purge all of an unknown CONSUMER.
    """
    if action == "list":
        list_parked()
        return
    if action == "purge":
        click.echo(f"{or_exit(lambda app: operator.purge(app, consumer))} deliveries")
        return
    act = operator.retry_parked if action == "retry" else operator.skip_parked
    count = once(lambda app: act(app, Queue(consumer, order_key)))
    click.echo(f"{count} deliveries")
    sys.exit(0 if count else 1)


def list_parked() -> None:
    for one in once(operator.list_parked):
        click.echo(f"{one.consumer} {one.order_key} {one.attempts} attempts {one.error}")
    for left in once(operator.list_unserved):
        since = f"since {left.served_at:%Y-%m-%d %H:%M} UTC" if left.served_at else "here"
        click.echo(f"{left.consumer} {left.deliveries} deliveries of an unknown consumer {since}")


MOMENT = click.DateTime(
    [f"%Y-%m-%d{time}" for time in ("", " %H:%M", "T%H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M:%SZ")]
)


@main.group()
def mail() -> None:
    """List, show and retry the mails of the last days. Their content is never shown."""


@mail.command(name="list")
@click.option("--person", help="the id of a user, or an address")
@click.option("--event", help="the id of the event that caused the mails")
@click.option("--state", type=click.Choice(STATES))
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
def list_mails(person: str | None, event: str | None, state: State | None, limit: int) -> None:
    """List mails, the newest first."""
    by = Search(person=person, event=event, state=state, limit=limit)
    click.echo(once(lambda app: sent_mail.list_mails(app, by)), nl=False)


@mail.command(name="show")
@click.argument("dispatch_id", metavar="ID")
def show_mail(dispatch_id: str) -> None:
    """Show what became of the mail ID, and why."""
    shown = once(lambda app: sent_mail.show_mail(app, dispatch_id))
    if shown is None:
        click.echo(f"parley: there is no mail {dispatch_id}", err=True)
        sys.exit(1)
    click.echo(shown, nl=False)


@mail.command(name="retry")
@click.argument("dispatch_ids", metavar="[ID]...", nargs=-1)
@click.option("--given-up", is_flag=True, help="all mails that were given up")
@click.option("--since", type=MOMENT, help="mails given up since this time, in UTC")
def retry_mails(dispatch_ids: tuple[str, ...], given_up: bool, since: datetime | None) -> None:
    """Retry the mails ID, or those that were given up, in the running server.

    The exit code is 1 if there is none, or if one of them cannot be retried.
    """
    if bool(dispatch_ids) == (given_up or since is not None):
        raise click.UsageError("give the ids of mails, or --given-up or --since")
    if dispatch_ids:
        retried = once(lambda app: sent_mail.retry_mails(app, dispatch_ids))
    else:
        began = since.replace(tzinfo=UTC) if since else datetime.min.replace(tzinfo=UTC)
        retried = once(lambda app: sent_mail.retry_given_up(app, began))
    refused = [(dispatch_id, why) for dispatch_id, why in retried if why]
    for dispatch_id, why in refused:
        click.echo(f"parley: {dispatch_id} is not retried: {why}", err=True)
    click.echo(f"{len(retried) - len(refused)} mails")
    sys.exit(1 if refused or not retried else 0)


@main.command()
@click.argument("consumer")
def rebuild(consumer: str) -> None:
    """Rebuild CONSUMER from past events or its domain's tables, in the running server."""
    or_exit(lambda app: operator.rebuild(app, consumer))
    click.echo(f"{consumer} is being rebuilt; the server logs the progress")


@main.command()
def demo() -> None:
    """Fill an empty database with demo data."""
    settings = settings_or_exit()
    try:
        with known_schema():
            click.echo(uvloop.run(fill(settings)))
    except NotEmpty:
        click.echo("parley: the database is not empty; the demo changed nothing", err=True)
        sys.exit(1)
    except NotServed:
        click.echo("parley: none of the enabled systems has demo data", err=True)
        sys.exit(1)


@main.command()
@click.option("--users", type=click.IntRange(1), required=True, help="how many users")
@click.option(
    "--conversations",
    type=click.IntRange(1),
    required=True,
    help="user i joins conversation i mod this",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="file for the lines token<TAB>conversation",
)
def fixture(users: int, conversations: int, out: Path) -> None:
    """Create users with tokens, and conversations, for load tests."""
    click.echo(once(lambda app: make_fixture(app, users, conversations, out)))


def tell(text: str) -> None:
    click.echo(text, err=True)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--overwrite", is_flag=True, help="replace an existing file")
@click.option("--files-only", is_flag=True, help="back up the uploaded files without the database")
def backup(file: Path, overwrite: bool, files_only: bool) -> None:
    """Back up the database and uploaded files to FILE. The server can keep running."""
    settings = settings_or_exit()
    with refusing("back up"):
        click.echo(
            make_backup(settings, file, overwrite=overwrite, files_only=files_only, tell=tell)
        )


@main.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="delete the existing database and files")
@click.option(
    "--other-secret", is_flag=True, help="accept a backup that was made with another secret"
)
def restore_backup(file: Path, replace: bool, other_secret: bool) -> None:
    """Restore the backup FILE; stop the server first. Clients then reload their state."""
    settings = settings_or_exit()
    with refusing("restore"):
        click.echo(restore(settings, file, replace=replace, other_secret=other_secret, tell=tell))


@main.command(name="renew-epoch")
def renew_epoch() -> None:
    """Make every client reload its state, after you restored a backup."""
    once(lambda app: operator.renew(app, str(uuid.uuid4())))


@main.command()
def catalog() -> None:
    """Generate the client's types and tables and docs/DOMAINS.md."""
    for path, text in Catalog(load_domains(SYSTEMS)).files().items():
        (Path(__file__).parent / path).write_text(text)


@main.command()
@click.argument("name")
def revision(name: str) -> None:
    """Draft the migration NAME for the declared tables."""
    try:
        draft_revision(name, datetime.now(UTC).date())
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None


if __name__ == "__main__":
    main()
