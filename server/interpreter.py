"""How the process is set up: what Python does between, and how many files may be open."""

import gc
import resource
import sys

THRESHOLDS = (50_000, 20, 100)
"""Young things are looked through after so many of them; what is older, much less often."""
TURN_S = 0.000_5
OPEN_FILES_MOST = 1_048_576
"""Counted on where the system has no limit of its own."""


def spare_what_is_loaded() -> None:
    """To be called once, when all that stays is there.

    The collector of what nobody can reach any more looks through everything that is alive, once
    there is a quarter more of it: a second for ten thousand connections, while nothing else runs.
    What is loaded at the start it need not look at, and connections leave nothing for it: they are
    gone with the last that holds them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def take_short_turns() -> None:
    """Let the writer's thread go on soon while the loop is busy.

    It gives up its turn in every statement; with turns of 5 ms, as they are by default, a batch of
    a few messages took 10 ms and more.
    """
    sys.setswitchinterval(TURN_S)


def open_files_max() -> int:
    """Raise the limit of open files as far as it goes, and return it: connections are files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else OPEN_FILES_MOST
