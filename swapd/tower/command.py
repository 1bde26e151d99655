"""Runs a tower in this process: its folder, its lock, its database, its signals.

Owns: what `swapd tower` does after its configuration was read. Must not know: flags, the terminal.
"""

import os
import signal

import structlog
import trio

from swapd import exitcodes
from swapd.config import Config
from swapd.lockfile import locked
from swapd.notify import Notifier
from swapd.parts import address_of_key
from swapd.paths import DataPaths, prepare
from swapd.ports import Clock
from swapd.store.sqlite import SqliteStore
from swapd.tower import keyfile
from swapd.tower.daemon import TowerDaemon, key_path, tower_folder


def run_tower(config: Config, clock: Clock) -> None:
    """Until SIGTERM or SIGINT; a second one ends it at once. Raises TowerError, StoreError,
    KeptSecretError, LockError, PathError and what starting raises (in exception groups)."""
    paths = DataPaths(tower_folder(config), config.paths.socket)
    prepare(paths)
    with locked(paths.lock):
        trio.run(_run, config, paths, clock)


def say_accounts(config: Config) -> list[str]:
    """Where the operator puts gas, chain by chain; makes the tower's key if there is none. Raises
    KeptSecretError."""
    if not config.evm:
        return ["no chain with accounts is configured under [evm]: this tower needs no gas"]
    address = address_of_key(keyfile.relay_key(keyfile.load(key_path(config), os.urandom)))
    return [f"{chain.ticker}: {address} pays gas on {chain.params.title}" for chain in config.evm]


async def _run(config: Config, paths: DataPaths, clock: Clock) -> None:
    store = await SqliteStore.open(paths.database, network=config.network.value)
    try:
        tower = TowerDaemon(config, store=store, clock=clock, entropy=os.urandom)
        notifier = Notifier(os.environ)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey_signals, tower, notifier)
            nursery.start_soon(notifier.keep_alive)
            await tower.run(ready=lambda kept: notifier.ready(f"watching {kept} packages"))
            nursery.cancel_scope.cancel()
    finally:
        await store.aclose()
    structlog.get_logger("swapd").info("tower.stopped")


async def _obey_signals(tower: TowerDaemon, notifier: Notifier) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        first = True
        async for _ in signals:
            if not first:
                os._exit(exitcodes.CRASH)
            first = False
            notifier.stopping()
            tower.stop()
