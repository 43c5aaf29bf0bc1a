"""Measures the cost of reading a text in CPU time of this thread, which load changes little."""

import time
from collections.abc import Callable
from typing import Any

GROWTH_MAX = 7.0
"""The maximum ratio of costs for a text four times as long: 4 is linear, 16 is quadratic."""
NOISE_S = 0.000_5
RUNS = 5

Read = Callable[[Any], object]
Make = Callable[[int], Any]


def cost_s(read: Read, text: Any) -> float:
    """Seconds of CPU time, the minimum of a few runs."""
    return min(_run_s(read, text) for _ in range(RUNS))


def check_linear(read: Read, make: Make, most: int, within_s: float) -> None:
    """Check that `read(make(most))` stays within its time and is about linear in the size."""
    quarter, whole = cost_s(read, make(most // 4)), cost_s(read, make(most))
    assert whole < within_s, f"{whole * 1e3:.2f} ms"
    allowed = GROWTH_MAX * quarter + NOISE_S
    assert whole < allowed, f"{quarter * 1e3:.2f} ms became {whole * 1e3:.2f} ms"


def _run_s(read: Read, text: Any) -> float:
    began = time.thread_time()
    read(text)
    return time.thread_time() - began
