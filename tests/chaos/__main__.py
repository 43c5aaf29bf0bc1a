"""`python -m tests.chaos`: break the parts of a running server and compare what everybody saw.

The same seed makes the same plan of faults and the same choices of everybody; at which moment they
meet depends on the machine, so a violation need not come again at the first try.
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
"""Of the time, when both are run: there is more to break on several."""


@click.command()
@click.option("--seed", type=int, help="chosen by chance, and told")
@click.option("--seconds", type=float, default=SECONDS, help="about how long things are broken")
@click.option("--people", type=click.IntRange(12), default=PEOPLE, help="how many take part")
@click.option("--on", type=click.Choice(list(INSTANCES)), help="one of the two (default: both)")
def main(seed: int | None, seconds: float, people: int, on: str | None) -> None:
    """Break the parts of a running server, and compare what everybody saw with the database."""
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
