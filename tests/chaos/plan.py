"""The plan of faults, with their order and duration, determined by the seed.

A plan is endless: a run takes as many steps as it has time for. Apart from the seed, the plan only
depends on whether the run has a minute, because some faults take that long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

INSTANCES = {"sqlite": 1, "several": 3}
PAUSE_S = (0.3, 1.0)
LONG_FROM_S = 60.0
TOGETHER = 0.25
"""The probability that two faults occur at the same time."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault: the part that it affects, and its possible duration."""

    part: str
    name: str
    lasts_s: tuple[float, float] = (0.0, 0.0)
    several_only: bool = False
    long: bool = False
    """Whether it occurs only in longer runs."""
    beside: bool = False
    """Whether it runs in the background of the others, because its detection takes long. Such a
    fault occurs once, at the start."""


KINDS = (
    Kind("connections", "connections muted", beside=True),
    Kind("connections", "connections cut"),
    Kind("connections", "clients stalled", (1.0, 3.0)),
    Kind("instances", "instance killed", (0.2, 2.0)),
    Kind("instances", "instance frozen", (1.0, 3.0)),
    Kind("instances", "machine lost", (0.2, 2.0), several_only=True),
    Kind("instances", "instances restarted in turn"),
    Kind("instances", "instance taken for dead", (16.0, 22.0), several_only=True, long=True),
    Kind("Redis", "Redis killed", (0.5, 3.0), several_only=True),
    Kind("Redis", "Redis frozen", (0.5, 4.0), several_only=True),
    Kind("Redis", "Redis flushed", several_only=True),
    Kind("Redis", "Redis out of reach", (1.0, 8.0), several_only=True),
    Kind("Redis", "connections to Redis muted", several_only=True),
    Kind("PostgreSQL", "PostgreSQL restarted", (0.2, 1.5), several_only=True),
    Kind("PostgreSQL", "database sessions ended", several_only=True),
    Kind("PostgreSQL", "PostgreSQL out of reach", (1.0, 8.0), several_only=True),
    Kind("PostgreSQL", "connections to PostgreSQL muted", several_only=True),
)


@dataclass(frozen=True)
class Fault:
    """One planned fault; its random generator chooses the instance and the connections."""

    kind: str
    lasts_s: float
    dice: int
    beside: bool

    def __str__(self) -> str:
        lasting = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.kind}{lasting}"


@dataclass(frozen=True)
class Step:
    """Faults that start at the same time, and the pause before them."""

    faults: tuple[Fault, ...]
    pause_s: float


def kinds_on(on: str, seconds: float) -> list[Kind]:
    """The kinds of faults for `sqlite` or `several` in a run of `seconds`."""
    kinds = [kind for kind in KINDS if on == "several" or not kind.several_only]
    return [kind for kind in kinds if seconds >= LONG_FROM_S or not kind.long]


def make_plan(seed: int, on: str, seconds: float) -> Iterator[Step]:
    """The endless steps of a run: every kind of fault once, then all again."""
    dice = Random(f"{seed} faults {on}")  # noqa: S311 - reproducible with the seed
    kinds = kinds_on(on, seconds)
    for kind in kinds:
        if kind.beside:
            yield Step((_fault(kind, dice),), dice.uniform(*PAUSE_S))
    others = [kind for kind in kinds if not kind.beside]
    while True:
        for kind in dice.sample(others, len(others)):
            chosen = [kind]
            if dice.random() < TOGETHER:  # but two faults of one part count as one
                chosen.append(dice.choice([one for one in others if one.part != kind.part]))
            yield Step(tuple(_fault(one, dice) for one in chosen), dice.uniform(*PAUSE_S))


def _fault(kind: Kind, dice: Random) -> Fault:
    return Fault(kind.name, dice.uniform(*kind.lasts_s), dice.randrange(2**32), kind.beside)
