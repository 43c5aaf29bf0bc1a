"""The table of the benchmark: its rows with their targets, as Markdown."""

from dataclasses import dataclass
from math import isinf
from statistics import mean

from tests.bench.measures import Figures
from tests.bench.servers import NODE, NODE_FULL, NODE_NORMAL, PARLEY, PYTHON

SERVERS = (PARLEY, NODE, NODE_FULL, NODE_NORMAL, PYTHON)
NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """One kind of work. The target is a figure, or a share of the figure of `peer`."""

    key: str
    work: str
    unit: str
    target: float | None = None
    peer: str | None = None

    def cells(self, figures: dict[str, list[float]]) -> list[str]:
        ours = _mean(figures.get(PARLEY))
        theirs = _mean(figures.get(self.peer)) if self.peer else None
        ratio = ours / theirs if ours is not None and theirs else None
        reached = ratio if self.peer else ours
        return [
            f"{self.work}, {self.unit}",
            *(_cell(figures.get(server)) for server in SERVERS),
            NOTHING if ratio is None else f"{ratio:.2f}",
            self._target_text(),
            self._met_text(reached),
        ]

    def _target_text(self) -> str:
        if self.target is None:
            return NOTHING
        return f"≤ {self.target:g}" + (f" of {self.peer}" if self.peer else f" {self.unit}")

    def _met_text(self, reached: float | None) -> str:
        if self.target is None or reached is None:
            return NOTHING
        return "yes" if reached <= self.target else "no"


ROWS = (
    Row("room-200", "a message to a room of 200, CPU per delivery", "µs", 0.7, NODE),
    Row("room-1000", "a message to a room of 1,000, CPU per delivery", "µs", 0.7, NODE),
    Row("pairs", "250 conversations of two, 500 senders, CPU per message", "µs", 1, NODE_FULL),
    Row("idle", "an idle connection, memory", "KB", 30),
    Row("connecting", "connecting until `synced`, CPU", "ms", 1.5),
    Row("latency-p50", "delivery at half of saturation, p50", "ms"),
    Row("latency-p99", "delivery at half of saturation, p99", "ms", 20),
    Row("across-p50", "delivery to another instance at half of saturation, p50", "ms"),
    Row("across-p99", "delivery to another instance at half of saturation, p99", "ms", 100),
    Row("back", "all clients back and caught up after a kill", "s", 20),
)


def _mean(figures: list[float] | None) -> float | None:
    return mean(figures) if figures else None


def _number(figure: float) -> str:
    if isinf(figure):
        return "not in time"
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"


def _cell(figures: list[float] | None) -> str:
    """The mean, with the range if it was measured more than once."""
    if not figures:
        return NOTHING
    if len(figures) == 1:
        return _number(figures[0])
    return f"{_number(mean(figures))} ({_number(min(figures))} to {_number(max(figures))})"


def table(figures: Figures) -> str:
    """The figures as a Markdown table."""
    heads = ["work", *SERVERS, "ratio", "target", "met"]
    lines = [row.cells(figures[row.key]) for row in ROWS if figures.get(row.key)]
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *lines]
    )


def put_between(document: str, name: str, text: str) -> str:
    """`document` with `text` between the markers for `name`; raises ValueError without them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no markers {begin} and {end}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
