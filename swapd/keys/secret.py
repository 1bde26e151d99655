"""Owns the wrapper that keeps secrets out of logs, tracebacks, pickles and core dumps.

Must not know: what is inside. Python cannot wipe memory, so this hinders accidents, not an
attacker who reads the process's memory.
"""

import hmac
import resource
from typing import NoReturn


class Secret:
    """Secret bytes. `reveal()` is the only way in, and easy to find in a review."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves: for the very next call, never to be kept."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a secret in a set or dict key is a leak waiting

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is never pickled or copied to another process"
        raise TypeError(msg)


def forbid_core_dumps() -> None:
    """A crash of this process must not write its memory, with the seed in it, to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
