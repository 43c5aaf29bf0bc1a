"""What reading a text costs: CPU time of this thread, which a busy machine does not change much."""

import time
from collections.abc import Callable
from typing import Any

GROWTH_MAX = 7.0
"""Four times the text: 4 is linear, 16 is quadratic."""
NOISE_S = 0.000_5
RUNS = 5

Read = Callable[[Any], object]
Make = Callable[[int], Any]


def cost_s(read: Read, text: Any) -> float:
    """Seconds of CPU time of the cheapest of a few runs."""
    return min(_run_s(read, text) for _ in range(RUNS))


def check_linear(read: Read, make: Make, most: int, within_s: float) -> None:
    """`read(make(most))` stays within its time, and costs little more than 4 times a quarter."""
    quarter, whole = cost_s(read, make(most // 4)), cost_s(read, make(most))
    assert whole < within_s, f"{whole * 1e3:.2f} ms"
    allowed = GROWTH_MAX * quarter + NOISE_S
    assert whole < allowed, f"{quarter * 1e3:.2f} ms became {whole * 1e3:.2f} ms"


def _run_s(read: Read, text: Any) -> float:
    began = time.thread_time()
    read(text)
    return time.thread_time() - began
