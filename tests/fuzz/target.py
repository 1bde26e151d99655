"""What a target of the fuzzer is.

Owns: `Target` and what opening one gives. Must not know: which there are, how they are run.
"""

import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.fuzz.shapes import Form

REFUSED = object()
"""What a call returns that refused its input without an exception."""


def bounded(said: str | bytes, most: int) -> None:
    """A refusal, or any answer, of so many characters at most."""
    assert len(said) <= most, f"an answer of {len(said)} characters, {most} are allowed"


def folder(stack: contextlib.ExitStack) -> Path:
    """An empty folder until the target is closed, in memory where there is such a place."""
    memory = Path("/dev/shm")
    within = memory if memory.is_dir() else None
    return Path(stack.enter_context(tempfile.TemporaryDirectory(dir=within)))


@dataclass(frozen=True)
class Opened:
    """A target ready to run. `samples` are good inputs: each must pass. `call` decodes one input
    and checks what must hold afterwards, by assertion; `acall` is the same for async decoders.
    `fresh` is called before each block; `clock` makes the clock that async calls run under."""

    samples: Sequence[bytes]
    call: Callable[[bytes], object] | None = None
    acall: Callable[[bytes], Awaitable[object]] | None = None
    fresh: Callable[[], None] | None = None
    clock: Callable[[], trio.abc.Clock] | None = None


@dataclass(frozen=True)
class Target:
    """One decoder. `allowed` is how it may refuse; any other exception is a crash. `share` is its
    part of all inputs, `head` the bytes before the format begins, `patience` the seconds of
    processor time that one input may take, `memory` the bytes; `block` is how many inputs share a
    generator, and the least that are run."""

    name: str
    form: Form
    open: Callable[[contextlib.ExitStack], Opened]
    allowed: tuple[type[Exception], ...]
    share: float = 1.0
    head: int = 0
    patience: float = 2.0
    memory: int = 64 * 1024 * 1024
    block: int = 500
