"""Configures the process: garbage collection, thread switching and the limit on open files."""

import gc
import resource
import sys

THRESHOLDS = (50_000, 20, 100)
"""The collector's thresholds: it scans new objects after this many, old ones much less often."""
TURN_S = 0.000_5
OPEN_FILES_MOST = 1_048_576
"""The assumed limit if the operating system has none."""


def freeze_loaded_objects() -> None:
    """Exclude all loaded objects from garbage collection; call it once, after startup.

    A full collection scans every live object, whenever their number has grown by a quarter. With
    ten thousand connections this stops everything for a second. Objects from startup never become
    garbage, and connections have no reference cycles, so reference counting frees them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def shorten_thread_switches() -> None:
    """Shorten the thread switch interval, so that the SQLite writer continues while the loop runs.

    The writer releases the GIL in every statement. With the default interval of 5 ms, a batch of a
    few messages took 10 ms or more.
    """
    sys.setswitchinterval(TURN_S)


def open_files_max() -> int:
    """Raise the limit on open files, which includes connections, to its maximum; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else OPEN_FILES_MOST
