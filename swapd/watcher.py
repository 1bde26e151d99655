"""The composition root of a daemon without its seed: what it runs until it is unlocked.

Owns: the order of start and stop. Must not know: what any part decides, how a passphrase is typed.

It has chains, the swaps of the journal, alarms and a control socket; no network, no market. It ends
with the opened seed, from which `swapd.running` makes the whole daemon in the same process: between
both nothing is half locked.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn, cast

import structlog
import trio

from protocol.assets import AssetId
from swapd import relaykey
from swapd.api.errors import ApiError, ErrorName
from swapd.api.events import EventLog, first_sequence
from swapd.config import Config
from swapd.control.server import serve
from swapd.engine.backups import Backups
from swapd.engine.locked_signer import LOCKED_SIGNER
from swapd.engine.locked_swaps import LockedSwaps
from swapd.engine.market import Market
from swapd.engine.mode import LOCKED, Mode
from swapd.engine.offers import OwnOffers
from swapd.engine.operations.context import Context
from swapd.engine.operations.locked import LockedOperations
from swapd.engine.operations.swap_views import SwapViews
from swapd.engine.taker import Taker
from swapd.engine.world import World
from swapd.keys.errors import KeysError, WrongPassphraseError
from swapd.keys.secret import Secret
from swapd.lookout import Lookout
from swapd.parts import (
    asset_table,
    check_chain,
    connect_chain,
    connect_evm,
    control_limits,
    relays_of,
)
from swapd.ports import Chain, Clock, Entropy, Peers, Store

log = structlog.get_logger(__name__)

OpenSeed = Callable[[Secret], Secret]
"""The seed by its passphrase; takes about a second. Raises KeysError."""


class _Nobody:
    """What a locked daemon does not have. A use of it is told to whoever called."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ApiError(ErrorName.DAEMON_LOCKED, LOCKED)

    def peer_count(self) -> int:
        return 0


class Watcher:
    """`run` it once. `stop` ends it without a seed."""

    def __init__(
        self, config: Config, *, store: Store, clock: Clock, entropy: Entropy, open_seed: OpenSeed
    ) -> None:
        """Raises KeysError for a password file that can't be read, NodeMisconfigured."""
        self._config, self._store, self._clock = config, store, clock
        self._open_seed = open_seed
        self._seed: Secret | None = None
        self._stop = trio.Event()
        self._chains: dict[AssetId, Chain] = {
            AssetId(chain.params.asset_id): connect_chain(chain, clock) for chain in config.chains
        }
        key = relaykey.load(config.paths.relay) if config.evm else None
        for accounts in config.evm:
            self._chains |= connect_evm(accounts, clock, store, None, key)
        self._world = World(
            chains=self._chains,
            peers=cast("Peers", _Nobody()),
            store=store,
            signer=LOCKED_SIGNER,
            clock=clock,
            entropy=entropy,
            policy=config.policy,
            mode=Mode(locked=True),
        )

    def stop(self) -> None:
        """Begins an orderly stop."""
        self._stop.set()

    async def run(self, *, ready: Callable[[], None] = lambda: None) -> Secret | None:
        """Until it is unlocked (the seed) or stopped (None). Raises what `Daemon.run` does."""
        for chain in self._chains.values():
            await check_chain(chain)
        run = first_sequence(await self._store.next_counter("events", 1))
        async with trio.open_nursery() as nursery:
            for chain in self._chains.values():
                await nursery.start(chain.run)
            swaps = LockedSwaps(self._world, relays_of(self._chains))
            watched = await swaps.resume()
            log.critical("daemon.locked", swaps=watched, remedy="swap-cli unlock")
            await nursery.start(swaps.run)
            lookout = Lookout(
                self._config,
                self._world,
                swaps,
                EventLog(run),
                version=version("swapd"),
                promised=lambda _: 0,
                offers=lambda: (0, 0),
            )
            await nursery.start(lookout.run)
            operations = LockedOperations(self._context(swaps, lookout, run), self._unlock)
            await nursery.start(self._serve, operations)
            ready()
            await self._stop.wait()
            nursery.cancel_scope.cancel()
        return self._seed

    def _context(self, swaps: LockedSwaps, lookout: Lookout, run: int) -> Context:
        nobody = _Nobody()
        assets = asset_table(self._config)
        return Context(
            world=self._world,
            network=self._config.network.value,
            version=version("swapd"),
            started_at=self._clock.now(),
            assets=assets,
            views=SwapViews(assets),
            swaps=swaps,
            market=cast("Market", nobody),
            offers=cast("OwnOffers", nobody),
            taker=cast("Taker", nobody),
            book_events=EventLog(run),
            swap_events=EventLog(run),
            alarm_events=lookout.events,
            board=lookout.board,
            state=lambda: "stopping" if self._stop.is_set() else "locked",
            backups=cast("Backups", nobody),
        )

    async def _serve(
        self,
        operations: LockedOperations,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await serve(
            operations,
            self._store,
            self._clock,
            self._config.paths.socket,
            on_stop=self.stop,
            limits=control_limits(self._config),
            task_status=task_status,
        )

    async def _unlock(self, passphrase: str) -> bool:
        """Tries it in a thread: it takes a second by design, and deadlines don't wait."""
        try:
            self._seed = await trio.to_thread.run_sync(self._open_seed, Secret(passphrase.encode()))
        except WrongPassphraseError:
            log.warning("daemon.unlock_refused")
            return False
        except KeysError as error:
            raise ApiError(ErrorName.INTERNAL_ERROR, str(error)) from error
        log.info("daemon.unlocked")
        return True
