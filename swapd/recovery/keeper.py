"""Keeps the recovery files abreast of the journal.

Owns: when they are written, by whom they are carried on, how they stand. Must not know: what a
swap's state means.

A lock leaves the daemon only after every configured place holds the row that lets it (`secure`).
Everything else is written as soon as it is journalled, and never waited for: no claim or refund may
depend on a disk that is not ours.
"""

import math
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from swapd.ports import (
    Clock,
    PathStatus,
    PortError,
    RecoveryError,
    RecoveryStatus,
    Signer,
    Store,
)
from swapd.recovery import files
from swapd.recovery.content import FORMAT, Addresses, Content, Saved, seal
from swapd.recovery.reading import read

log = structlog.get_logger("recovery")

GENERATION: Final = "recovery"
"""The counter of the files that were written."""

WRITE_SECONDS: Final = 20
"""For one place: a network disk that hangs is one that failed."""
COMMAND_SECONDS: Final = 60
RETRY_SECONDS: Final = 30
MAX_OUTPUT: Final = 500


class Keeper:
    """Writes the files of one daemon: at `paths`, then runs `command` (none: empty) with the first
    path as its last argument. `superseded` is told why when a newer daemon of this seed is at
    work. `blocked`: why nothing may be written: a newer file there could not be taken over."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        clock: Clock,
        *,
        paths: Sequence[Path],
        command: Sequence[str] = (),
        network: str,
        epoch: int,
        superseded: Callable[[str], None] = lambda _: None,
        blocked: str = "",
    ) -> None:
        self._store, self._signer, self._clock = store, signer, clock
        self._paths, self._command = tuple(paths), tuple(command)
        self._network, self._epoch = network, epoch
        self._superseded, self._blocked = superseded, blocked
        self._last = 0
        self._writing = trio.Lock()
        self._changed = trio.Event()
        self._status = {
            str(path): PathStatus(str(path), ok=False, error=blocked) for path in self._paths
        }

    def note(self) -> None:
        """Something was journalled: write soon."""
        self._changed.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes after each change; for ever. The first file is tried before this has started."""
        await self._try()
        task_status.started()
        while True:
            pause = (
                math.inf if all(status.ok for status in self._status.values()) else RETRY_SECONDS
            )
            with trio.move_on_after(pause):
                await self._changed.wait()
            self._changed = trio.Event()
            await self._try()

    async def _try(self) -> None:
        try:
            await self.secure()
        except RecoveryError as error:
            log.error("recovery.not_written", reason=str(error))  # noqa: TRY400 - the sentence says all
        except Exception:
            log.exception("recovery.failed")

    async def secure(self) -> None:
        """Returns when every place holds what the journal holds now. Raises RecoveryError."""
        if self._blocked:
            raise RecoveryError(self._blocked)
        async with self._writing:
            try:
                known = self._last or await self._store.counter(GENERATION)
                content = await self._gather()
                data = seal(content, self._signer)
            except PortError as error:
                raise RecoveryError(f"no recovery file can be made: {error}") from error
            failures = [await self._write(path, data, known) for path in self._paths]
            self._last = content.generation
            if self._command:
                failures.append(await self._carry_on())
            told = [failure for failure in failures if failure]
            if told:
                raise RecoveryError("; ".join(told))

    def status(self) -> RecoveryStatus:
        """How each place stands."""
        return RecoveryStatus(tuple(self._status.values()))

    async def _gather(self) -> Content:
        generation = await self._store.next_counter(GENERATION, self._clock.now_ms())
        last: dict[str, int] = {}
        for key, value in await self._store.items("address"):
            asset = key.partition("|")[0]
            last[asset] = max(last.get(asset, 0), int(value))
        return Content(
            version=FORMAT,
            network=self._network,
            generation=generation,
            written_at=self._clock.now(),
            epoch=self._epoch,
            swaps=tuple(
                Saved(row.swap_id, row.sequence, row.at, row.state)
                for row in await self._store.open_swaps()
            ),
            addresses=tuple(Addresses(asset, index) for asset, index in sorted(last.items())),
        )

    async def _write(self, path: Path, data: bytes, known: int) -> str:
        """What went wrong, empty when nothing did. `known` is the newest file we know of."""
        name = str(path)
        failure = ""
        try:
            await self._check(path, known)
            with trio.fail_after(WRITE_SECONDS):
                await trio.to_thread.run_sync(files.write, path, data, abandon_on_cancel=True)
        except trio.TooSlowError:
            failure = f"{path} was not written within {WRITE_SECONDS} s: does its disk answer?"
        except RecoveryError as error:
            failure = str(error)
        at = self._status[name].written_at if failure else self._clock.now()
        self._status[name] = PathStatus(name, ok=not failure, written_at=at, error=failure)
        return failure

    async def _check(self, path: Path, known: int) -> None:
        """Never overwrites what is not ours. Raises RecoveryError."""
        there = await read(path, self._signer, network=self._network)
        if there is None or there.generation <= known or there.epoch <= self._epoch:
            return
        why = f"a newer daemon of this seed wrote {path}: this one only watches from now on"
        self._superseded(why)
        raise RecoveryError(why)

    async def _carry_on(self) -> str:
        """The operator's own program takes the file elsewhere."""
        words = [*self._command, str(self._paths[0])]
        try:
            with trio.fail_after(COMMAND_SECONDS):
                done = await trio.run_process(
                    words, check=False, capture_stdout=True, stderr=subprocess.STDOUT
                )
        except trio.TooSlowError:
            return f"recovery.command did not end within {COMMAND_SECONDS} s"
        except OSError as error:
            return f"recovery.command can't be run: {error}"
        if done.returncode:
            said = bytes(done.stdout)[-MAX_OUTPUT:].decode("utf-8", "replace").strip()
            return f"recovery.command ended with {done.returncode}: {said}"
        return ""
