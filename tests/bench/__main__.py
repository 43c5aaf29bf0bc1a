"""The command line of the benchmark; `sh scripts/bench` installs its dependencies and runs it."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import click

from tests.bench.conditions import conditions, machine_load
from tests.bench.growth import measure_growth
from tests.bench.load import LoadFailed, compile_generator
from tests.bench.measures import FULL_PACE, MEASUREMENTS, QUICK_PACE, Measurement, Pace
from tests.bench.servers import Bench, NotStarted, share_cores
from tests.bench.table import put_between, table
from tests.world import ROOT

DOCUMENT = ROOT / "docs" / "BENCHMARKS.md"


@click.command()
@click.option("--quick", is_flag=True, help="short and small: to see that it works")
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="one of them")
@click.option("--growth", is_flag=True, help="the curves instead of the table")
@click.option("--write", is_flag=True, help="put it into docs/BENCHMARKS.md")
def main(quick: bool, only: tuple[str, ...], growth: bool, write: bool) -> None:
    """Measure this server and its peers side by side."""
    cores = share_cores()
    os.sched_setaffinity(0, cores.load)
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        bench = Bench(cores, Path(folder))
        program = asyncio.run(compile_generator(bench.folder))
        m = Measurement(bench, program, QUICK_PACE if quick else FULL_PACE, click.echo)
        if growth:
            text = asyncio.run(measure_growth(m, DOCUMENT.parent / "images" if write else None))
        else:
            text = asyncio.run(measure_all(m, only or tuple(MEASUREMENTS)))
    click.echo(f"\n{text}")
    if write:
        name = "growth" if growth else "table"
        DOCUMENT.write_text(put_between(DOCUMENT.read_text(), name, text))
    sys.exit(1 if m.failed else 0)


async def measure_all(m: Measurement, names: tuple[str, ...]) -> str:
    """The table of these measurements and its conditions, without the rows that failed."""
    before = machine_load()
    for name in names:
        try:
            await MEASUREMENTS[name](m)
        except (LoadFailed, NotStarted) as failed:
            m.failed.append(name)
            click.echo(f"{name}: {failed}", err=True)
    lost = [f"failed, and left out: {', '.join(m.failed)}"] if m.failed else []
    return f"{table(m.figures)}\n\n{conditions(m.bench.cores, before, [pace_text(m.pace), *lost])}"


def pace_text(pace: Pace) -> str:
    turns = "measured once" if pace.rounds == 1 else f"measured {pace.rounds} times, A B B A"
    return (
        f"{pace.seconds:g} s each after {pace.warm_up_s:g} s of warm-up, {turns}; "
        f"idle, connecting and back: {pace.crowd:,} clients, 200 to a room, once"
    )


if __name__ == "__main__":
    main()
