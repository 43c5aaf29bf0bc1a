"""Python's collector of what nobody can reach any more, kept from stopping the loop.

It looks through everything that is alive, once there is a quarter more of it: a second for ten
thousand connections, while nothing else runs. What is loaded at the start it need not look at, and
connections leave nothing for it: they are gone with the last that holds them.
"""

import gc

THRESHOLDS = (50_000, 20, 100)
"""Young things are looked through after so many of them; what is older, much less often."""


def spare_what_is_loaded() -> None:
    """To be called once, when all that stays is there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
