"""Source files as trees, for tests that read rules off them."""

import ast
import gc


def parse(text: str, name: str = "<source>") -> ast.Module:
    """The tree of a Python file, made without the garbage collector.

    Collecting a greenlet that was left changes the depth of recursion, and the compiler of
    Python 3.11 then raises SystemError.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text, name)
    finally:
        if was_on:
            gc.enable()
