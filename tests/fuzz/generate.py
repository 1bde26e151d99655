"""The inputs of one target: half of them mutations of good ones, half random or by grammar.

Owns: which share each way of making inputs has. Must not know: what is done with them.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from tests.fuzz import shapes
from tests.fuzz.mutate import below, noise, wounded
from tests.fuzz.shapes import Form
from tests.fuzz.target import Target


class Maker:
    """Makes inputs of one target, block by block: any block can be made again alone. The target's
    `head` bytes in front of each input say what is done with it (which call, which moment) and
    are no part of the format."""

    def __init__(self, target: Target, samples: Sequence[bytes]) -> None:
        self._name, self._form, self._head = target.name, target.form, target.head
        self._size = target.block
        self._samples = samples
        self._bodies = [sample[self._head :] for sample in samples]
        self._trees: list[Any] = []
        if self._form in shapes.ENCODERS:
            self._trees = [shapes.tree_of(self._form, body) for body in self._bodies]

    def block(self, seed: int, number: int) -> Iterator[bytes]:
        """The inputs of one block, the same ones whenever it is asked for."""
        rng = random.Random(f"{seed}/{self._name}/{number}")
        for index in range(self._size):
            at = below(rng, len(self._samples))
            body = self._mutant(rng, at) if index % 2 == 0 else self._random(rng, at)
            yield self._samples[at][: self._head] + body

    def _mutant(self, rng: random.Random, at: int) -> bytes:
        body = self._bodies[at]
        if self._trees and rng.random() < 0.5:
            return shapes.ENCODERS[self._form](rng, shapes.changed(rng, self._trees[at]))
        if self._form is Form.TOML and rng.random() < 0.7:
            return shapes.lines_changed(rng, body)
        return wounded(rng, body, self._bodies)

    def _random(self, rng: random.Random, at: int) -> bytes:
        roll = rng.random()
        if roll < 0.2:
            return noise(rng)
        if self._trees:
            value = shapes.tree(rng) if roll < 0.5 else shapes.like(rng, self._trees[at])
            return shapes.ENCODERS[self._form](rng, value)
        if self._form is Form.TOML:
            return shapes.lines_like(rng, self._bodies[at])
        if self._form is Form.TEXT:
            return shapes.text_like(rng, self._bodies)
        # No grammar of its own: pieces of good ones, one behind the other.
        pieces = []
        for _ in range(1 + below(rng, 4)):
            body = self._bodies[below(rng, len(self._bodies))]
            start = below(rng, len(body) + 1)
            pieces.append(body[start : start + below(rng, 64)])
        return b"".join(pieces)
