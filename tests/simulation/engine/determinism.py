"""Makes trio repeat itself: same seed, same order of tasks.

Owns: the two private names of trio that this needs; nothing else in the project touches them. Trio
runs its ready tasks in random order. Under its own flag for Hypothesis it sorts them by age and
shuffles them with one generator; that generator is seeded here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from trio._core import _run


@contextmanager
def same_every_time(seed: int) -> Iterator[None]:
    """`trio.run` within the block schedules by `seed` alone, given a mock clock."""
    allowed, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc] # Final for all but Hypothesis
    _run._r.seed(seed)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc] # as above
        _run._r.setstate(state)
