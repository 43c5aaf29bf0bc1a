"""The measurements, each of which gives figures for one or more rows of the table."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from pathlib import Path

from tests.bench.load import Connected, Reconnected, Sent, measure, phases
from tests.bench.servers import (
    NODE,
    NODE_FULL,
    NODE_NORMAL,
    PARLEY,
    PYTHON,
    Bench,
    Start,
    parley,
    peers,
    two_instances,
)

CROWD_ROOM = 200
BACK_WITHIN_S = 60
Figures = dict[str, dict[str, list[float]]]
"""By row and server, one figure for each time that it was measured."""


@dataclass(frozen=True)
class Pace:
    """The duration and size of measurements."""

    seconds: float = 4.0
    warm_up_s: float = 1.0
    rounds: int = 2
    crowd: int = 10_000

    def options(self) -> tuple[object, ...]:
        return ("-d", self.seconds, "-W", self.warm_up_s)


FULL_PACE = Pace()
QUICK_PACE = Pace(seconds=1.5, warm_up_s=0.5, rounds=1, crowd=2_000)


class Measurement:
    """A run of measurements: the generator, the machine's cores and the figures so far."""

    def __init__(self, bench: Bench, program: Path, pace: Pace, say: Callable[[str], None]) -> None:
        self.bench = bench
        self.program = program
        self.pace = pace
        self.figures: Figures = defaultdict(lambda: defaultdict(list))
        self.failed: list[str] = []
        self.say = say

    def note(self, row: str, server: str, figure: float, unit: str) -> None:
        self.figures[row][server].append(figure)
        self.say(f"{row:<16} {server:<22} {figure:10.2f} {unit}")

    async def sent(self, start: Start, *options: object) -> Sent:
        """Start a server, let clients send, and stop it."""
        async with start(self.bench) as server:
            _, sent = await measure(self.program, server, *options, *self.pace.options())
        return sent

    def in_turns(self, servers: Mapping[str, Start]) -> list[tuple[str, Start]]:
        """The servers in the order A B C, then C B A, and so on."""
        forth = list(servers.items())
        return [
            one
            for number in range(self.pace.rounds)
            for one in (forth if number % 2 == 0 else reversed(forth))
        ]


def room_of(members: int) -> Callable[[Measurement], Awaitable[None]]:
    """Ten members of a room send again as soon as they get an answer."""

    async def run(m: Measurement) -> None:
        those = peers()
        servers = {PARLEY: parley(members, 1), NODE: those[NODE], PYTHON: those[PYTHON]}
        for name, start in m.in_turns(servers):
            sent = await m.sent(start, "-c", members, "-r", 1, "-s", 10)
            m.note(f"room-{members}", name, sent.cpu_us_per_delivery, "µs of CPU per delivery")

    return run


async def pairs(m: Measurement) -> None:
    """250 conversations of two; all 500 members send again as soon as they get an answer."""
    those = peers()
    servers = {
        PARLEY: parley(500, 250),
        **{name: those[name] for name in (NODE_FULL, NODE_NORMAL, PYTHON)},
    }
    for name, start in m.in_turns(servers):
        sent = await m.sent(start, "-c", 500, "-r", 250, "-s", 500)
        m.note("pairs", name, sent.cpu_us_per_ack, "µs of CPU per acknowledged message")


async def crowd(m: Measurement) -> None:
    """Many clients connect, 200 in each room, and stay idle."""
    rooms = m.pace.crowd // CROWD_ROOM
    those = peers()
    servers = {PARLEY: parley(m.pace.crowd, rooms), NODE: those[NODE], PYTHON: those[PYTHON]}
    for name, start in servers.items():
        async with start(m.bench) as server:
            options = ("-c", m.pace.crowd, "-r", rooms, "-d", 0, "-i", 3)
            (connected,) = [p async for p in phases(m.program, server, *options)]
        assert isinstance(connected, Connected)
        m.note("idle", name, connected.rss_kb_each, "KB per idle connection")
        m.note("connecting", name, connected.cpu_ms_each, "ms of CPU per connection")


async def latency(m: Measurement) -> None:
    """Pairs on one instance, at half the rate that saturates it."""
    sent = await _at_half(m, parley(500, 250))
    assert sent.delivery_us is not None
    m.note("latency-p50", PARLEY, sent.delivery_us.p50 / 1_000, "ms, half of them")
    m.note("latency-p99", PARLEY, sent.delivery_us.p99 / 1_000, "ms, 99 of 100")


async def across(m: Measurement) -> None:
    """Like `latency`, but on two instances: the members of a pair are on different ones."""
    sent = await _at_half(m, two_instances(500, 250))
    assert sent.across_us is not None
    m.note("across-p50", PARLEY, sent.across_us.p50 / 1_000, "ms, half of them")
    m.note("across-p99", PARLEY, sent.across_us.p99 / 1_000, "ms, 99 of 100")


async def _at_half(m: Measurement, start: Start) -> Sent:
    """All 500 clients send in turn, at half the rate that saturates the server.

    That rate is what 100 clients reach that send again as soon as they get an answer.
    """
    people = ("-c", 500, "-r", 250)
    async with start(m.bench) as server:
        _, most = await measure(m.program, server, *people, "-s", 100, *m.pace.options())
        rate = most.acks / most.seconds / 2
        half = ("-s", 500, "-R", rate)
        _, sent = await measure(m.program, server, *people, *half, *m.pace.options())
    m.say(f"half of saturation: {rate:.0f} messages a second")
    return sent


async def back(m: Measurement) -> None:
    """A server with many clients is killed and restarted while some of them send."""
    rooms = m.pace.crowd // CROWD_ROOM
    options = ("-c", m.pace.crowd, "-r", rooms, "-s", rooms, "-R", rooms, "-d", 1)
    async with parley(m.pace.crowd, rooms)(m.bench) as server:
        assert server.restart is not None
        async with aclosing(phases(m.program, server, *options, "-b", BACK_WITHIN_S)) as told:
            async for phase in told:
                if isinstance(phase, Sent):
                    break
            async with server.restart():
                phase = await anext(told)
    assert isinstance(phase, Reconnected)
    took_s = inf if phase.behind else phase.seconds
    m.note("back", PARLEY, took_s, "s until all were back and had heard all")
    m.say(f"back: {phase.behind} are not; {phase.refused} were sent away to try again")


MEASUREMENTS: dict[str, Callable[[Measurement], Awaitable[None]]] = {
    "room-200": room_of(200),
    "room-1000": room_of(1_000),
    "pairs": pairs,
    "crowd": crowd,
    "latency": latency,
    "across": across,
    "back": back,
}
