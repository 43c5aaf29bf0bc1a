"""How Python itself is set, so that it keeps nobody waiting."""

import gc
import sys

THRESHOLDS = (50_000, 20, 100)
"""Young things are looked through after so many of them; what is older, much less often."""
TURN_S = 0.000_5


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
