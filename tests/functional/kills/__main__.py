"""`python -m tests.functional.kills`: every kill, and the matrix of what came of it.

Each story is told once without a kill to count the points, then with a kill at each of them.
Workers have worlds of their own. Exit code 0 when all is fine.
"""

import argparse
import signal
import sys
import time
from collections import deque

import trio

from tests.daemons.accounts import COINS
from tests.daemons.mortal import Kill
from tests.functional.kills.account_stories import BY_NAME, out_of_reach, stories_of
from tests.functional.kills.arena import NOT_PASSED, Arena
from tests.functional.kills.matrix import FAILED, Matrix
from tests.functional.kills.plan import Cell, Run, runs
from tests.functional.kills.points import PARTIES
from tests.matrix.stories import AMOUNTS

RUN_SECONDS = 420


class Campaign:
    """Runs that wait, runs that are under way, and the matrix."""

    def __init__(
        self,
        stories: list[str],
        cells: list[Cell],
        *,
        pair: tuple[str, str] | None = None,
        most: int | None,
        lose: bool = False,
    ) -> None:
        self.matrix = Matrix(out_of_reach(pair))
        self._pair = pair
        self._lose = lose
        self._most = most
        self._waiting = deque([Run(cell.story, (cell,)) for cell in cells])
        if not cells:
            self._waiting.extend(Run(story) for story in stories)
        self._busy = 0
        self._done = 0
        self._changed = trio.Event()
        self._started = time.monotonic()

    async def work(self) -> None:
        """One worker: its own world, until nothing waits and nobody may add anything."""
        arena: Arena | None = None
        try:
            while (run := await self._next()) is not None:
                if arena is None:
                    arena = Arena(pair=self._pair, loses_machines=self._lose)
                    await arena.open()
                if not await self._played(arena, run):
                    await arena.close()
                    arena = None
                self._busy -= 1
                self._tell()
        finally:
            if arena is not None:
                await arena.close()

    async def _next(self) -> Run | None:
        while not self._waiting:
            if not self._busy:
                return None
            await self._changed.wait()
        self._busy += 1
        return self._waiting.popleft()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _played(self, arena: Arena, run: Run) -> bool:
        """False when the world can't be used any more."""
        began, trouble, tails = time.monotonic(), "", ""
        try:
            with trio.fail_after(RUN_SECONDS):
                results = await arena.play(run)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other runs go on
            results, trouble, tails = {}, f"{type(error).__name__}: {error}", arena.tails()
        if not run.cells and not trouble:
            self.matrix.count(run.story, arena.passed())
            reaches = BY_NAME[run.story].reaches
            found = runs(run.story, arena.passed(), reaches, most=self._most)
            if self._lose:  # what is forgotten changes what comes after: one loss in a run
                found = [Run(run.story, (cell,)) for each in found for cell in each.cells]
            self._waiting.extend(found)
        self._judge(run, results, trouble, tails)
        self._progress(run, trouble, time.monotonic() - began)
        return not trouble

    def _judge(self, run: Run, results: dict[Cell, str], trouble: str, tails: str) -> None:
        if trouble and len(run.cells) > 1:
            self._waiting.extendleft(Run(run.story, (cell,)) for cell in run.cells)
            print(f"trying kill by kill: {trouble.splitlines()[0][:200]}")
            return
        again = [cell for cell, result in results.items() if result == NOT_PASSED]
        if again and len(run.cells) > 1:
            self._waiting.extend(Run(run.story, (cell,)) for cell in again)
        for cell in again:
            results.pop(cell)
            if len(run.cells) > 1:
                continue
            # Repetitions come with the timing of polls; the first time comes always.
            self.matrix.note({cell: FAILED if cell.kill.nth == 1 else NOT_PASSED})
            if cell.kill.nth == 1:
                self.matrix.fail(command(cell, self._pair), "the point was not passed any more")
        self.matrix.note(results)
        if trouble:
            what = run.story
            for cell in run.cells:
                what = command(cell, self._pair)
                self.matrix.note({cell: FAILED})
            self.matrix.fail(what, trouble.splitlines()[0])
            print(f"{trouble}\n{tails}")

    def _progress(self, run: Run, trouble: str, seconds: float) -> None:
        self._done += 1
        left = len(self._waiting) + self._busy - 1
        kills = ", ".join(f"{cell.party} {cell.kill}" for cell in run.cells) or "counting"
        passed = int(time.monotonic() - self._started)
        verdict = FAILED if trouble else "ok"
        print(
            f"[{passed // 60:2}:{passed % 60:02} {self._done} done, {left} left] {verdict} "
            f"{seconds:.0f} s {run.story}: {kills}",
            flush=True,
        )


def command(cell: Cell, pair: tuple[str, str] | None = None) -> str:
    """What to type to try a cell again."""
    point = f"{cell.kill.point} {cell.kill.nth}"
    told = f"--story {cell.story!r} --party {cell.party} --point {point!r}"
    return told if pair is None else f"PAIR={'/'.join(pair)} {told}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional.kills")
    parser.add_argument("--workers", type=int, default=2, help="worlds at once (default 2)")
    parser.add_argument(
        "--story", action="append", choices=list(BY_NAME), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--pair",
        type=_pair,
        help="taker pays / maker sells, with a chain of accounts (also PAIR=BTC/ETH)",
    )
    parser.add_argument("--quick", action="store_true", help="each point once in each story")
    parser.add_argument(
        "--lose",
        action="store_true",
        help="who dies loses its machine: seed words and recovery file go on",
    )
    parser.add_argument("--party", choices=PARTIES, help="with --point: who dies")
    parser.add_argument("--point", help="one kill: 'journal:before:LockBuilt 1'")
    given = [f"--pair={each[5:]}" if each.startswith("PAIR=") else each for each in sys.argv[1:]]
    return parser.parse_args(given)


def _pair(text: str) -> tuple[str, str] | None:
    """Of BTC and LTC the stories themselves say who pays what."""
    pay, _, get = text.upper().partition("/")
    if {pay, get} == {"BTC", "LTC"}:
        return None
    if pay == get or not {pay, get} <= set(AMOUNTS) or not {pay, get} & set(COINS):
        raise argparse.ArgumentTypeError(f"two of {', '.join(AMOUNTS)}, as in BTC/ETH")
    return pay, get


async def _until_told(scope: trio.CancelScope) -> None:
    """Ctrl-C ends the work; what is known by then is shown."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            print("interrupted: the matrix so far")
            scope.cancel()


async def campaign(asked: argparse.Namespace) -> bool:
    """Whether all is fine."""
    cells = []
    if asked.point:
        point, _, nth = asked.point.partition(" ")
        cells = [Cell((asked.story or ["happy"])[0], asked.party, Kill(point, int(nth or 1)))]
    stories = asked.story or stories_of(asked.pair)
    most = 1 if asked.quick else None
    runs_of = Campaign(stories, cells, pair=asked.pair, most=most, lose=asked.lose)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_until_told, nursery.cancel_scope)
        async with trio.open_nursery() as workers:
            for _ in range(1 if cells else asked.workers):
                workers.start_soon(runs_of.work)
        nursery.cancel_scope.cancel()
    matrix, whole = runs_of.matrix, not (asked.story or cells)
    for line in (*matrix.rows(), *matrix.summary(whole=whole)):
        print(line)
    return matrix.is_fine(whole=whole)


if __name__ == "__main__":
    sys.exit(0 if trio.run(campaign, arguments()) else 1)
