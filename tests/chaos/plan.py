"""What will be broken, in which order and for how long: decided by the seed alone.

A plan has no end: a run takes as many of its steps as it has time for. Only whether it has a minute
for them counts beside the seed: some faults take that long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

INSTANCES = {"sqlite": 1, "several": 3}
PAUSE_S = (0.3, 1.0)
LONG_FROM_S = 60.0
TOGETHER = 0.25
"""How often a fault has company."""


@dataclass(frozen=True)
class Kind:
    """A fault: what it is done to, and how long it may last."""

    part: str
    name: str
    lasts_s: tuple[float, float] = (0.0, 0.0)
    several_only: bool = False
    long: bool = False
    """It is for runs that have more time."""
    beside: bool = False
    """It takes so long to be noticed that others go on meanwhile; it comes once, first of all."""


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
    """One thing that will be broken: the dice say which instance, and whose connections."""

    kind: str
    lasts_s: float
    dice: int
    beside: bool

    def __str__(self) -> str:
        lasting = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.kind}{lasting}"


@dataclass(frozen=True)
class Step:
    """Faults that begin at the same moment, and the pause before them."""

    faults: tuple[Fault, ...]
    pause_s: float


def kinds_on(on: str, seconds: float) -> list[Kind]:
    """What can be broken on `sqlite` or `several` in so many seconds."""
    kinds = [kind for kind in KINDS if on == "several" or not kind.several_only]
    return [kind for kind in kinds if seconds >= LONG_FROM_S or not kind.long]


def make_plan(seed: int, on: str, seconds: float) -> Iterator[Step]:
    """The endless steps of a run: every kind once, then all again."""
    dice = Random(f"{seed} faults {on}")  # noqa: S311 - chosen again by the same seed
    kinds = kinds_on(on, seconds)
    for kind in kinds:
        if kind.beside:
            yield Step((_fault(kind, dice),), dice.uniform(*PAUSE_S))
    others = [kind for kind in kinds if not kind.beside]
    while True:
        for kind in dice.sample(others, len(others)):
            chosen = [kind]
            if dice.random() < TOGETHER:  # two faults of one part would be one
                chosen.append(dice.choice([one for one in others if one.part != kind.part]))
            yield Step(tuple(_fault(one, dice) for one in chosen), dice.uniform(*PAUSE_S))


def _fault(kind: Kind, dice: Random) -> Fault:
    return Fault(kind.name, dice.uniform(*kind.lasts_s), dice.randrange(2**32), kind.beside)
