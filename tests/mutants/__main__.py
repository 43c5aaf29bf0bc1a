"""`python -m tests.mutants`: take features out one after the other, and see which test notices.

First the named tests run on the unchanged source. Then each mutant is applied, and its tests run up
to the first one that fails. A mutant that no test notices survives, and the command fails.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tests.mutants.all import MUTANTS
from tests.mutants.copy import applied, copied
from tests.mutants.mutant import Mutant
from tests.mutants.run import Ended, run_tests, run_unchanged

ROOT = Path(__file__).parent.parent.parent


@click.command()
@click.argument("name", nargs=-1)
@click.option("--all-variants", is_flag=True, help="run each test on both databases")
def main(name: tuple[str, ...], all_variants: bool) -> None:
    """Take out all features, or those whose NAME has this text in it."""
    chosen = choose(" ".join(name))
    options = ["--all-variants"] if all_variants else []
    with copied(ROOT) as folder:
        unchanged = run_unchanged(folder, chosen, options)
        if not unchanged.passed:
            sys.exit(f"{unchanged.text}\nThe tests fail without any mutant.")
        survived = [one.name for one in chosen if not is_caught(folder, one, options)]
    click.echo(f"{len(chosen)} mutants, {len(survived)} survived")
    sys.exit(1 if survived else 0)


def choose(text: str) -> list[Mutant]:
    """The mutants whose name has this text in it; exits when there is none."""
    chosen = [one for one in MUTANTS if text.lower() in one.name.lower()]
    if not chosen:
        sys.exit(f"no mutant has {text!r} in its name")
    return chosen


def is_caught(folder: Path, mutant: Mutant, options: Sequence[str]) -> bool:
    """Whether a test of the mutant fails; prints which one."""
    began = time.monotonic()
    with applied(mutant, folder):
        ended = run_tests(folder, mutant, options)
    caught = ended.caught_by
    outcome = f"caught by {caught}" if caught else f"SURVIVED{why(ended)}"
    click.echo(f"{mutant.name}: {outcome} ({time.monotonic() - began:.0f} s)")
    return caught is not None


def why(ended: Ended) -> str:
    """Why nothing is known of a mutant, when its tests neither passed nor failed."""
    return "" if ended.passed else f": the run ended with code {ended.code}\n{ended.text}"


if __name__ == "__main__":
    main()
