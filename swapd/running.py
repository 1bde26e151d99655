"""One run of `swapd`: from opened seed and configuration to the exit.

Owns: signals, what systemd is told, the database's opening and closing. Must not know: flags, what
the daemon does.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from swapd import exitcodes
from swapd.config import Config
from swapd.daemon import Daemon
from swapd.engine import hooks
from swapd.keys.signer import SeedSigner
from swapd.notify import Notifier
from swapd.ports import Clock
from swapd.store.sqlite import SqliteStore

KILL_AT: Final = "SWAPD_REGTEST_KILL_AT"
"""Test hook, regtest only: names a file FILE. Each point passed (`journal:before:LockBuilt`, see
swapd.engine.hooks) is added to FILE.passed, and this process ends with SIGKILL at those in FILE,
one a line: `journal:before:LockBuilt 2` is the second time since FILE.passed was begun."""


def run(
    config: Config, signer: SeedSigner, clock: Clock, *, drain: bool, warnings: Sequence[str] = ()
) -> None:
    """Until it was stopped, or is drained. Raises what a daemon raises when it can't start."""
    _arm(config, os.environ)
    trio.run(
        partial(_run, config, signer, clock, Notifier(os.environ), drain=drain, warnings=warnings)
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
    signer: SeedSigner,
    clock: Clock,
    notifier: Notifier,
    *,
    drain: bool,
    warnings: Sequence[str],
) -> None:
    store = await SqliteStore.open(config.paths.database, network=config.network.value)
    try:
        daemon = Daemon(
            config, store=store, signer=signer, clock=clock, entropy=os.urandom, warnings=warnings
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey_signals, daemon, notifier)
            nursery.start_soon(notifier.keep_alive)
            await daemon.run(ready=lambda: notifier.ready("trading"), drain=drain)
            notifier.stopping()
            nursery.cancel_scope.cancel()
    finally:
        await store.aclose()
    structlog.get_logger("swapd").info("daemon.stopped")


async def _obey_signals(daemon: Daemon, notifier: Notifier) -> None:
    """The first signal stops in order, the second at once."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        first = True
        async for _ in signals:
            if not first:
                os._exit(exitcodes.CRASH)
            first = False
            notifier.stopping()
            daemon.stop()
