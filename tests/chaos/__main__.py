"""`python -m tests.chaos`: break parts of a running server, and check what each client saw.

The same seed gives the same plan of faults and the same choices of users. Their timing depends on
the machine, so a violation may take several runs to reproduce.
"""

import secrets
import sys

import click
import uvloop

from tests.chaos.plan import INSTANCES
from tests.chaos.report import lines
from tests.chaos.run import PEOPLE, run_on

SECONDS = 45.0
SHARE = {"sqlite": 1 / 3, "several": 2 / 3}
"""Shares of the time if both run: several instances have more kinds of faults."""


@click.command()
@click.option("--seed", type=int, help="chosen by chance, and told")
@click.option("--seconds", type=float, default=SECONDS, help="about how long things are broken")
@click.option("--people", type=click.IntRange(12), default=PEOPLE, help="how many take part")
@click.option("--on", type=click.Choice(list(INSTANCES)), help="one of the two (default: both)")
def main(seed: int | None, seconds: float, people: int, on: str | None) -> None:
    """Break parts of a running server, and compare what each client saw with the database."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"seed {seed}")
    wrong = 0
    for each in [on] if on else INSTANCES:
        outcome = uvloop.run(run_on(each, seed, seconds * (1 if on else SHARE[each]), people))
        click.echo("\n".join(["", *lines(outcome)]))
        wrong += len(outcome.records.violations)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
