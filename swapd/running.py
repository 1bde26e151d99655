"""One run of `swapd`: from opened seed and configuration to the exit.

Owns: signals, what systemd is told, the database's opening and closing. Must not know: flags, what
the daemon does.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from swapd import exitcodes
from swapd.config import Config
from swapd.daemon import Daemon
from swapd.engine import hooks
from swapd.keys.secret import Secret
from swapd.keys.signer import SeedSigner
from swapd.notify import Notifier
from swapd.ports import Clock
from swapd.store.sqlite import SqliteStore
from swapd.watcher import OpenSeed, Watcher

KILL_AT: Final = "SWAPD_REGTEST_KILL_AT"
"""Test hook, regtest only: names a file FILE. Each point passed (`journal:before:LockBuilt`, see
swapd.engine.hooks) is added to FILE.passed, and this process ends with SIGKILL at those in FILE,
one a line: `journal:before:LockBuilt 2` is the second time since FILE.passed was begun."""


class Stoppable(Protocol):
    """What a signal ends in order."""

    def stop(self) -> None: ...


def run(
    config: Config,
    seed: Secret | None,
    clock: Clock,
    open_seed: OpenSeed,
    *,
    drain: bool,
    warnings: Sequence[str] = (),
) -> None:
    """Until it was stopped, or is drained. Without a `seed` it is locked until somebody unlocks it.
    Raises what a daemon raises when it can't start."""
    _arm(config, os.environ)
    whole = partial(Daemon, warnings=warnings)
    trio.run(
        partial(_run, config, seed, clock, open_seed, Notifier(os.environ), whole, drain=drain)
    )


def _arm(config: Config, environ: Mapping[str, str]) -> None:
    """Tests count the points that a regtest daemon passes, and end it at one of them."""
    place = environ.get(KILL_AT, "")
    if not place or config.network.value != "regtest":
        return
    wanted, passed = Path(place), Path(f"{place}.passed")

    def observer(name: str) -> None:
        with passed.open("a", encoding="ascii") as file:
            file.write(f"{name}\n")
        times = passed.read_text(encoding="ascii").splitlines().count(name)
        if wanted.exists() and f"{name} {times}" in wanted.read_text(encoding="ascii").splitlines():
            os.kill(os.getpid(), signal.SIGKILL)

    hooks.observe(observer)


async def _run(
    config: Config,
    seed: Secret | None,
    clock: Clock,
    open_seed: OpenSeed,
    notifier: Notifier,
    whole: Callable[..., Daemon],
    *,
    drain: bool,
) -> None:
    store = await SqliteStore.open(config.paths.database, network=config.network.value)
    try:
        async with trio.open_nursery() as nursery:
            signals = _Signals(notifier)
            await nursery.start(signals.obey)
            nursery.start_soon(notifier.keep_alive)
            if seed is None:
                watcher = Watcher(
                    config, store=store, clock=clock, entropy=os.urandom, open_seed=open_seed
                )
                signals.now(watcher)
                seed = await watcher.run(ready=lambda: notifier.ready("LOCKED: swap-cli unlock"))
            if seed is not None and not signals.stopping:
                notifier.status("starting")
                signer = SeedSigner(seed, test_network=config.network.is_test, entropy=os.urandom)
                daemon = whole(config, store=store, signer=signer, clock=clock, entropy=os.urandom)
                signals.now(daemon)
                await daemon.run(ready=lambda: notifier.ready("running"), drain=drain)
            notifier.stopping()
            nursery.cancel_scope.cancel()
    finally:
        await store.aclose()
    structlog.get_logger("swapd").info("daemon.stopped")


class _Signals:
    """The first signal stops what runs now in order, the second ends the process at once."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._running: Stoppable | None = None
        self.stopping = False

    def now(self, running: Stoppable) -> None:
        """This runs from now on."""
        self._running = running
        if self.stopping:
            running.stop()

    async def obey(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for _ in signals:
                if self.stopping:
                    os._exit(exitcodes.CRASH)
                self.stopping = True
                self._notifier.stopping()
                if self._running is not None:
                    self._running.stop()
