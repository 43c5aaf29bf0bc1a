"""How costs grow with the members of a room, with conversations and with stored messages."""

from pathlib import Path

from tests.bench.chart import Chart, Line, draw
from tests.bench.conditions import conditions, machine_load
from tests.bench.load import measure
from tests.bench.measures import Measurement
from tests.bench.queries import CALLS, measure_queries
from tests.bench.servers import NODE, PARLEY, parley, peers
from tests.parts.postgres import running_cluster

MEMBERS = (200, 1_000, 5_000)
CONVERSATIONS = (10, 1_000, 10_000)
MESSAGES = (10_000, 100_000, 1_000_000)
QUICK_SHARE = 10
"""The factor by which a quick run is smaller."""
QUIET_S = 3.0
SENDS_PER_S = 1_000


async def measure_growth(m: Measurement, images: Path | None) -> str:
    """The curves as tables and, with `images`, as pictures in that folder."""
    before = machine_load()
    share = 1 if m.pace.rounds > 1 else QUICK_SHARE
    charts = {
        "members": await _by_members(m, _smaller(MEMBERS, share)),
        "conversations": await _by_conversations(m, _smaller(CONVERSATIONS, share)),
        "messages": await _by_messages(m, _smaller(MESSAGES, share)),
    }
    parts = []
    for name, chart in charts.items():
        if images is not None:
            (images / f"bench-{name}.svg").write_text(draw(chart))
        parts += [f"![{chart.title}](images/bench-{name}.svg)", chart.table()]
    seconds = f"{m.pace.seconds:g} s each; queries: the median of {CALLS}, one after the other"
    return "\n\n".join([*parts, conditions(m.bench.cores, before, [seconds])])


def _smaller(sizes: tuple[int, ...], share: int) -> tuple[int, ...]:
    return tuple(max(size // share, 10) for size in sizes)


async def _by_members(m: Measurement, sizes: tuple[int, ...]) -> Chart:
    """Ten of a room's members send again as soon as they get an answer."""
    lines = {PARLEY: Line(PARLEY), NODE: Line(NODE)}
    for size in sizes:
        for name, start in ((PARLEY, parley(size, 1)), (NODE, peers()[NODE])):
            sent = await m.sent(start, "-c", size, "-r", 1, "-s", 10)
            lines[name].points[size] = sent.cpu_us_per_delivery
            m.note(f"{size} members", name, sent.cpu_us_per_delivery, "µs of CPU per delivery")
    return Chart("CPU per delivery by members of the room", "members", "µs", [*lines.values()])


async def _by_conversations(m: Measurement, sizes: tuple[int, ...]) -> Chart:
    """A thousand sends per second, spread over conversations of two with one member connected.

    The cost of the idle connections is subtracted.
    """
    line = Line(PARLEY)
    for size in sizes:
        options = ("-c", size, "-r", size, "-s", size, "-R", SENDS_PER_S, "-i", QUIET_S)
        async with parley(2 * size, size)(m.bench) as server:
            connected, sent = await measure(m.program, server, *options, *m.pace.options())
        busy_s = sent.cpu_s - connected.quiet_cpu_s / QUIET_S * sent.seconds
        line.points[size] = busy_s * 1e6 / sent.acks
        m.note(f"{size} conversations", PARLEY, line.points[size], "µs of CPU per message")
    return Chart("CPU per message by conversations", "conversations", "µs", [line])


async def _by_messages(m: Measurement, sizes: tuple[int, ...]) -> Chart:
    """History, list and replay, on both databases, as the tables grow."""
    lines = []
    with running_cluster() as cluster:
        file = f"sqlite:///{m.bench.folder}/growth.db"
        for database, url in (("SQLite", file), ("PostgreSQL", cluster.create("growth"))):
            told = await measure_queries(url, m.bench.folder / database, sizes)
            for query, points in told.items():
                lines.append(Line(f"{query}, {database}", points))
                m.say(f"{query:<16} {database:<22} {points} ms")
    return Chart("Time of a query by messages stored", "messages", "ms", lines)
