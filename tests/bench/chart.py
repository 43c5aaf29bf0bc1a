"""Charts with logarithmic scales, as Markdown tables and SVG pictures, without a library."""

from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
COLOURS = ("#1f6feb", "#d1570b", "#2b8a3e", "#8e44ad", "#b02a37", "#0b7285")


@dataclass
class Line:
    """One curve, with a figure for each size."""

    name: str
    points: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """Several curves over the same sizes."""

    title: str
    sizes: str
    unit: str
    lines: list[Line]

    def table(self) -> str:
        """The figures as a Markdown table, with a row for each curve."""
        sizes = list(self.lines[0].points)
        heads = [f"{self.title}, {self.unit}", *(f"{size:,} {self.sizes}" for size in sizes)]
        rows = [[one.name, *(f"{one.points[size]:.3g}" for size in sizes)] for one in self.lines]
        return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


@dataclass(frozen=True)
class Scale:
    """Maps figures to positions in the picture; its bounds are whole powers of ten."""

    low: int
    high: int
    begin: float
    end: float

    def place(self, figure: float) -> float:
        share = (log10(figure) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def marks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def scale_of(figures: list[float], begin: float, end: float) -> Scale:
    low, high = floor(log10(min(figures))), ceil(log10(max(figures)))
    return Scale(low, max(high, low + 1), begin, end)


def draw(chart: Chart) -> str:
    """The chart as SVG."""
    sizes = [float(size) for line in chart.lines for size in line.points]
    figures = [figure for line in chart.lines for figure in line.points.values()]
    x = scale_of(sizes, LEFT, WIDTH - RIGHT)
    y = scale_of(figures, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, chart.title, "start", 'font-weight="bold"'),
        *_grid(chart, x, y),
        *(part for number, line in enumerate(chart.lines) for part in _curve(line, number, x, y)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(chart: Chart, x: Scale, y: Scale) -> list[str]:
    parts = [_text(WIDTH - RIGHT, HEIGHT - 12, chart.sizes, "end")]
    for size in x.marks():
        parts.append(_rule(x.place(size), y.begin, x.place(size), y.end))
        parts.append(_text(x.place(size), y.begin + 16, f"{size:,.0f}", "middle"))
    for figure in y.marks():
        parts.append(_rule(x.begin, y.place(figure), x.end, y.place(figure)))
        parts.append(_text(x.begin - 6, y.place(figure) + 4, f"{figure:g} {chart.unit}", "end"))
    return parts


def _curve(line: Line, number: int, x: Scale, y: Scale) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    places = [(x.place(size), y.place(figure)) for size, figure in line.points.items()]
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    row = TOP + 18 * number + 8
    return [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{a:.1f}" cy="{d:.1f}" r="3" fill="{colour}"/>' for a, d in places),
        f'<circle cx="{WIDTH - RIGHT + 16}" cy="{row - 4}" r="4" fill="{colour}"/>',
        _text(WIDTH - RIGHT + 26, row, line.name, "start"),
    ]


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
