"""Owns what the demo says when it did not work out, and its exit code."""

import sys
import traceback
from collections.abc import Iterator

FAILED = 1


class DemoFailed(Exception):
    """The demo did not come to its end. `logs` are the ends of the daemons' logs."""

    def __init__(self, logs: str) -> None:
        super().__init__("the demo failed")
        self.logs = logs


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def explain(error: BaseException) -> int:
    """Tells on stderr what went wrong; returns the exit code."""
    found = list(_leaves(error))
    for leaf in found:
        if isinstance(leaf, DemoFailed):
            sys.stderr.write(f"{leaf.logs}\n\n")
            cause = leaf.__cause__ or leaf
            sys.stderr.write("".join(traceback.format_exception(cause)))
            sys.stderr.write(f"demo failed: {_sentence(cause)}\n")
            return FAILED
    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"demo failed: {_sentence(error)}\n")
    return FAILED


def _sentence(error: BaseException) -> str:
    leaf = next(_leaves(error))
    return f"{type(leaf).__name__}: {leaf}".splitlines()[0]
