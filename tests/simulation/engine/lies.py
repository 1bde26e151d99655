"""A hostile peer on the wire: what thieves make of their own messages, and what they bring back.

Owns: bent, cut, repeated and old messages on channels, old and bent gossip. Must not know: what any
message means; nothing here may change what an honest daemon believes or does.
"""

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

KEPT = 60
"""Messages of anybody that a thief keeps to say them again."""


class Liar:
    """The voice of all thieves of a scene. `malice`: how likely each message is not the true
    one."""

    def __init__(self, scene: "Scene", rng: Random, names: frozenset[str], malice: float) -> None:
        self._scene = scene
        self._rng = rng
        self._names = names
        self._malice = malice
        self._heard: list[bytes] = []

    def tap(self, own: str, other: str, message: bytes) -> tuple[bytes, ...] | None:
        """What arrives of a message on a channel; None ends the channel."""
        if own in self._names or other in self._names:
            self._heard.append(message)
            del self._heard[:-KEPT]
        if own not in self._names or self._rng.random() >= self._malice:
            return (message,)
        kind = self._rng.choice(("bent", "cut", "twice", "old", "old first", "silence", "end"))
        self._scene.referee.tallies[f"lie {kind}"] += 1
        self._scene.referee.note(f"{own} lies to {other}: {kind}")
        match kind:
            case "bent":
                return (self._bent(message),)
            case "cut":
                return (message[: self._rng.randrange(len(message) + 1)],)
            case "twice":
                return (message, message)
            case "old":
                return (self._rng.choice(self._heard),)
            case "old first":
                return (self._rng.choice(self._heard), message)
            case "silence":
                return ()
            case _:
                return None

    def gossip(self) -> None:
        """Says again what was said once, by anybody, as it was or a little bent."""
        seen = self._scene.network.seen
        liars = sorted(self._names & set(self._scene.network.nodes))
        if seen and liars:
            topic, data = self._rng.choice(seen)
            if self._rng.random() < 0.3:
                data = self._bent(data)
            self._scene.referee.tallies["lie in gossip"] += 1
            self._scene.network.spread(self._rng.choice(liars), topic, data)

    def _bent(self, message: bytes) -> bytes:
        if not message:
            return b"\x00"
        at = self._rng.randrange(len(message))
        return (
            message[:at] + bytes([message[at] ^ (1 << self._rng.randrange(8))]) + message[at + 1 :]
        )
