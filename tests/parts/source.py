"""Source files as syntax trees, for tests that check rules on them."""

import ast
import gc


def parse(text: str, name: str = "<source>") -> ast.Module:
    """The syntax tree of a Python file, parsed with garbage collection off.

    Collecting an abandoned greenlet changes the recursion depth, and the compiler of Python 3.11
    then raises SystemError.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text, name)
    finally:
        if was_on:
            gc.enable()
