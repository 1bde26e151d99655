"""Feeding targets: what passed, what was refused, what must never happen.

Owns: running blocks of inputs and judging how each ended. Must not know: which targets there are,
what is printed.
"""

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import trio

from tests.fuzz import corpus
from tests.fuzz.generate import Maker
from tests.fuzz.target import REFUSED, Opened, Target
from tests.fuzz.watch import Hang, measuring, watching

_SAMPLED = 60
_LARGEST = 6


@dataclass(frozen=True)
class Crash:
    """An input that did what no input may. `where` is the innermost place in our code."""

    target: str
    data: bytes
    what: str
    where: str

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"python -m tests.fuzz REPLAY={self.target} INPUT={corpus.written(self.data)}"


@dataclass
class Result:
    """How one target fared. `seconds` of wall time; `slowest` one input's; `peak` bytes held at
    once for one input, of those that were measured."""

    target: str
    inputs: int = 0
    passed: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    peak: int = 0
    crashes: list[Crash] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        """Both together."""
        self.inputs += other.inputs
        self.passed += other.passed
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.peak = max(self.peak, other.peak)
        self.crashes += other.crashes


class Feeder:
    """One opened target under the dog's eyes."""

    def __init__(self, target: Target, opened: Opened, arm: Callable[[float], None]) -> None:
        self._target = target
        self._opened = opened
        self._arm = arm
        self.result = Result(target.name)
        self._seen: set[tuple[str, str]] = set()
        self._largest: list[bytes] = []

    def feed(self, inputs: Iterator[bytes]) -> None:
        """Runs all of `inputs`."""
        if self._opened.fresh is not None:
            self._opened.fresh()
        began = time.perf_counter()
        if self._opened.acall is not None:
            trio.run(self._feed_async, inputs, clock=_clock(self._opened))
        else:
            self._feed_sync(inputs)
        self.result.seconds += time.perf_counter() - began

    def _feed_sync(self, inputs: Iterator[bytes]) -> None:
        call = self._opened.call
        assert call is not None
        for data in inputs:
            self._arm(self._target.patience)
            began = time.perf_counter()
            try:
                self._passed(call(data))
            except BaseException as error:  # noqa: BLE001 - judged there; Ctrl-C goes on from there
                self._judge(error, data)
            self._note(data, time.perf_counter() - began)
        self._arm(0.0)

    async def _feed_async(self, inputs: Iterator[bytes]) -> None:
        call = self._opened.acall
        assert call is not None
        for data in inputs:
            self._arm(self._target.patience)
            began = time.perf_counter()
            try:
                self._passed(await call(data))
            except BaseException as error:  # noqa: BLE001 - judged there; Ctrl-C goes on from there
                self._judge(error, data)
            self._note(data, time.perf_counter() - began)
        self._arm(0.0)

    def _passed(self, answer: object) -> None:
        self.result.passed += answer is not REFUSED

    def _note(self, data: bytes, seconds: float) -> None:
        result = self.result
        result.inputs += 1
        result.slowest = max(result.slowest, seconds)
        if len(self._largest) < _LARGEST or len(data) > len(self._largest[0]):
            self._largest = sorted([*self._largest, data], key=len)[-_LARGEST:]

    def _judge(self, error: BaseException, data: bytes) -> None:
        """Returns for a refusal; keeps anything else."""
        self._arm(0.0)
        if isinstance(error, KeyboardInterrupt | GeneratorExit):
            raise error
        if isinstance(error, self._target.allowed):
            return
        where, what = _place(error), f"{type(error).__name__}: {error}"[:300]
        if (type(error).__name__, where) not in self._seen:
            self._seen.add((type(error).__name__, where))
            self.result.crashes.append(Crash(self._target.name, data, what, where))

    def measure(self, inputs: Iterator[bytes]) -> None:
        """Holds the memory that single inputs take, the largest ones among them, against the
        target's bound."""
        chosen = [data for data, _ in zip(inputs, range(_SAMPLED), strict=False)] + self._largest
        with measuring() as peak:
            for data in chosen:
                peak()
                self._arm(self._target.patience)
                with contextlib.suppress(Exception, Hang):  # it was judged when it was fed
                    self._once(data)
                self._arm(0.0)
                taken = peak()
                self.result.peak = max(self.result.peak, taken)
                if taken > self._target.memory:
                    what = f"{taken} bytes of memory for an input of {len(data)}"
                    self.result.crashes.append(Crash(self._target.name, data, what, "memory"))

    def _once(self, data: bytes) -> object:
        if self._opened.acall is not None:
            return trio.run(self._opened.acall, data, clock=_clock(self._opened))
        assert self._opened.call is not None
        return self._opened.call(data)


def _clock(opened: Opened) -> trio.abc.Clock | None:
    return None if opened.clock is None else opened.clock()


def _place(error: BaseException) -> str:
    """The innermost line of ours that an error came through."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/protocol/" in f.filename or "/swapd/" in f.filename]
    found = (ours or frames)[-1:]
    return "".join(f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno}" for f in found)


def run_target(target: Target, *, seed: int, blocks: range, measured: bool = True) -> Result:
    """Runs those blocks of a target, its kept inputs first."""
    with contextlib.ExitStack() as stack, watching() as arm:
        opened = target.open(stack)
        feeder = Feeder(target, opened, arm)
        check_samples(target, opened)
        feeder.feed(iter(corpus.load(target.name)))
        maker = Maker(target, opened.samples)
        for number in blocks:
            feeder.feed(maker.block(seed, number))
        if measured and blocks:
            feeder.measure(maker.block(seed, blocks[0]))
        return feeder.result


def check_samples(target: Target, opened: Opened) -> None:
    """Every sample must pass: a target that refuses its good inputs tests nothing."""
    if opened.fresh is not None:
        opened.fresh()
    for sample in opened.samples:
        if opened.acall is not None:
            answer: object = trio.run(opened.acall, sample, clock=_clock(opened))
        else:
            assert opened.call is not None
            answer = opened.call(sample)
        assert answer is not REFUSED, f"{target.name} refuses its sample {sample[:80]!r}"


def replay(target: Target, data: bytes) -> Result:
    """One input again."""
    with contextlib.ExitStack() as stack, watching() as arm:
        opened = target.open(stack)
        feeder = Feeder(target, opened, arm)
        feeder.feed(iter([data]))
        return feeder.result


def blocks_of(target: Target, inputs: int, total: float) -> int:
    """How many blocks of a campaign of so many inputs are this target's; at least one."""
    return max(1, round(inputs * target.share / total / target.block))
