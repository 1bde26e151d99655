"""The composition root: builds every part, starts safety first and market last, stops in reverse.

Owns: the order of start and stop, the one nursery tree. Must not know: what any part decides.

Start: chains -> every open swap resumed -> network -> market and offers -> takes -> control socket.
Stop: control and takes -> offers withdrawn -> network -> swaps -> chains. Swaps run from the first
moment to the last, because deadlines do not wait for the market.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import structlog
import trio

from protocol.assets import AssetId
from protocol.swap.explain import summarise
from protocol.swap.states import SwapState
from swapd import relaykey
from swapd.alarms.sources.towers import TowerAlarms
from swapd.api.events import EventLog, first_sequence
from swapd.config import Config
from swapd.control.server import serve
from swapd.doctor import clock as clocks
from swapd.doctor import files, reach
from swapd.doctor.findings import Finding
from swapd.engine import payouts, putback
from swapd.engine.ahead import Ahead
from swapd.engine.backups import Backups
from swapd.engine.maker import Maker
from swapd.engine.market import Market
from swapd.engine.mode import Mode
from swapd.engine.offers import OwnOffers
from swapd.engine.operations.alarms import DRAINING, SPACE
from swapd.engine.operations.all import EngineOperations
from swapd.engine.operations.book_events import SwapPump, pump_book
from swapd.engine.operations.context import Context
from swapd.engine.operations.swap_views import SwapViews
from swapd.engine.reservations import Reservations
from swapd.engine.swaps import Swaps
from swapd.engine.taker import Taker
from swapd.engine.tower_talk import TowerAddress
from swapd.engine.towers import Towers, TowerSettings
from swapd.engine.world import World
from swapd.lookout import Lookout
from swapd.network.client import Libp2pPeers
from swapd.parts import (
    asset_table,
    check_chain,
    connect_chain,
    connect_evm,
    control_limits,
    network_config,
)
from swapd.ports import (
    Chain,
    Clock,
    Entropy,
    RecoveryError,
    Signer,
    Store,
    StoreError,
)
from swapd.recovery.content import Content
from swapd.recovery.keeper import Keeper
from swapd.recovery.reading import newest
from swapd.recovery.takeover import Taken, take_over

log = structlog.get_logger(__name__)


DRAIN_SECONDS = 2.0
"""How often a drain looks whether anything is left, beside every change of a swap."""

GOODBYE_SECONDS = 5.0
"""For withdrawing offers at a stop; what did not go out by then expires by its lease."""


class Daemon:
    """One daemon, from its parts to its end."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        entropy: Entropy,
        warnings: Sequence[str] = (),
    ) -> None:
        """`warnings` of the configuration are for the doctor. Raises KeysError for a password
        file that can't be read, NodeMisconfigured."""
        self._config = config
        self._chains: dict[AssetId, Chain] = {
            AssetId(chain.params.asset_id): connect_chain(chain, clock) for chain in config.chains
        }
        for accounts in config.evm:
            self._chains |= connect_evm(accounts, clock, store, signer)
        if config.evm:
            relaykey.keep(config.paths.relay, signer.relay_secret())
        self._store, self._signer, self._clock, self._entropy = store, signer, clock, entropy
        self._warnings = tuple(warnings)
        self._stop = trio.Event()
        self._state = "starting"

    def stop(self) -> None:
        """Begins an orderly stop."""
        self._stop.set()

    async def run(self, *, ready: Callable[[], None] = lambda: None, drain: bool = False) -> None:
        """Until `stop`, with `drain` until no swap is open. Raises ListenError, ControlSocketError,
        NodeMisconfigured, StoreError (in exception groups) when it can't start."""
        for chain in self._chains.values():
            await check_chain(chain)
        blocked = await self._take_over()
        epoch = await putback.epoch(self._store, self._clock)
        peers = Libp2pPeers(
            network_config(self._config),
            self._signer.network_secret(epoch),
            clock=None if self._config.clock_file is None else self._clock.now,
        )
        mode = Mode()
        keeper = self._keeper(epoch, mode, blocked)
        world = World(
            chains=self._chains,
            peers=peers,
            store=self._store,
            signer=self._signer,
            clock=self._clock,
            entropy=self._entropy,
            policy=self._config.policy,
            mode=mode,
            recovery=keeper,
        )
        await putback.settle(world)
        life = (await self._store.get("meta", payouts.LIFE) or b"").decode()
        async with trio.open_nursery() as safety:
            for chain in self._chains.values():
                await safety.start(chain.run)
            swaps, ledger = Swaps(world), Reservations()
            swaps.listen(ledger.follow)
            swaps.listen(lambda _state, _sequence: keeper.note())
            towers = Towers(world, self._towers(), swaps)
            world.towers.guard(towers.hold_back)
            swaps.listen(towers.follow)
            ahead = Ahead(world, swaps)
            swaps.listen(ahead.follow)
            await safety.start(swaps.run)
            resumed = await swaps.resume()
            ledger.adopt(swaps.open())
            log.info("daemon.resumed", swaps=resumed)
            safety.start_soon(keeper.run)
            if life:
                search = payouts.Payouts(world, swaps)
                swaps.listen(search.follow)
                safety.start_soon(search.run, life)
            if drain or await self._store.get(SPACE, DRAINING) is not None:
                world.mode.drain()
            safety.start_soon(towers.run)
            safety.start_soon(ahead.run)
            await self._market(world, peers, swaps, ledger, towers, epoch, ready, call=bool(life))
            safety.cancel_scope.cancel()

    async def _market(
        self,
        world: World,
        peers: Libp2pPeers,
        swaps: Swaps,
        ledger: Reservations,
        towers: Towers,
        epoch: int,
        ready: Callable[[], None],
        *,
        call: bool,
    ) -> None:
        """The network and all that needs it; ends when asked to stop."""
        run = first_sequence(await self._store.next_counter("events", 1))
        assets, book_log, swap_log = asset_table(self._config), EventLog(run), EventLog(run)
        views = SwapViews(assets)
        async with trio.open_nursery() as nursery:
            await nursery.start(peers.run)
            market = Market(world, self._pairs(), epoch=epoch)
            await nursery.start(market.run)
            offers = OwnOffers(world, market, held=ledger.held)
            swaps.listen(offers.follow)
            await offers.start(swaps.get, swaps.open)
            swaps.listen(SwapPump(world, views, swap_log).follow)
            await nursery.start(offers.run)
            if call:
                await offers.call()
            nursery.start_soon(pump_book, world, market, assets, book_log)
            lookout = self._lookout(world, swaps, offers, market, EventLog(run))
            lookout.board.add(TowerAlarms(towers.status, towers.uncovered).look)
            await nursery.start(lookout.run)
            nursery.start_soon(self._finish_drain, world, swaps, ledger)
            if self._chains:
                await nursery.start(Maker(world, offers, ledger, swaps).run)
            backups = Backups(world, str(self._config.paths.backup))
            await backups.load()
            operations = EngineOperations(
                Context(
                    world=world,
                    network=self._config.network.value,
                    version=version("swapd"),
                    started_at=self._clock.now(),
                    assets=assets,
                    views=views,
                    swaps=swaps,
                    market=market,
                    offers=offers,
                    taker=Taker(world, ledger, swaps),
                    book_events=book_log,
                    swap_events=swap_log,
                    alarm_events=lookout.events,
                    board=lookout.board,
                    state=lambda: self._told_state(world.mode),
                    backups=backups,
                    towers=towers.status,
                    towers_required=towers.required,
                    place=self._place,
                )
            )
            await nursery.start(self._serve, operations)
            self._state = "running"
            log.info("daemon.ready", network=self._config.network.value, socket=self._socket())
            ready()
            await self._stop.wait()
            self._state = "stopping"
            await self._goodbye(swaps, offers, market, peers)
            nursery.cancel_scope.cancel()

    def _lookout(
        self, world: World, swaps: Swaps, offers: OwnOffers, market: Market, events: EventLog
    ) -> Lookout:
        return Lookout(
            self._config,
            world,
            swaps,
            events,
            version=version("swapd"),
            promised=offers.promised,
            offers=lambda: (len(offers.live()), market.count()),
        )

    def _told_state(self, mode: Mode) -> str:
        if self._state != "running":
            return self._state
        return "watching" if mode.watch_only else "draining" if mode.draining else "running"

    async def _finish_drain(self, world: World, swaps: Swaps, ledger: Reservations) -> None:
        """Stops when a drain was ordered and nothing is open or being agreed any more."""
        mode, changed = world.mode, trio.Event()

        def follow(_state: SwapState, _sequence: int) -> None:
            changed.set()

        swaps.listen(follow)
        while True:
            while not mode.draining:
                await mode.wait_change()
            # Time, too, for whoever ordered it to be told.
            with trio.move_on_after(DRAIN_SECONDS):
                await changed.wait()
            changed = trio.Event()
            if _is_drained(mode, swaps, ledger):
                try:
                    await self._store.delete(SPACE, DRAINING)
                except StoreError as error:
                    log.critical(
                        "daemon.drain_kept", reason=str(error), then="the next start drains"
                    )
                log.info("daemon.drained")
                self.stop()
                return

    async def _serve(
        self,
        operations: EngineOperations,
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

    async def _goodbye(
        self, swaps: Swaps, offers: OwnOffers, market: Market, peers: Libp2pPeers
    ) -> None:
        """Withdraws the offers and says which swaps are open."""
        with trio.move_on_after(GOODBYE_SECONDS):
            withdrawn = await offers.withdraw()
            await market.flush()
            await peers.drain()
            log.info("daemon.offers_withdrawn", count=withdrawn)
        for state in swaps.open():
            said = summarise(state)
            log.warning(
                "daemon.open_swap",
                swap=state.agreement.swap_id.hex(),
                phase=said.phase.value,
                safe_unattended_until=said.safe_until,
                next_action=said.next_action,
            )

    # --- Parts --------------------------------------------------------------------------------

    def _socket(self) -> str:
        return str(self._config.paths.socket)

    def _pairs(self) -> list[tuple[AssetId, AssetId]]:
        return [(pair.base, pair.quote) for pair in self._config.pairs]

    def _place(self, listening: Sequence[str]) -> list[Finding]:
        announce, test = self._config.p2p.announce, self._config.network.is_test
        return [
            *files.examine(self._config, warnings=self._warnings),
            *clocks.by_kernel(clocks.is_synchronised()),
            *reach.addresses(listening, announce=announce, is_test=test),
        ]

    def _keeper(self, epoch: int, mode: Mode, blocked: str) -> Keeper:
        return Keeper(
            self._store,
            self._signer,
            self._clock,
            paths=self._config.recovery.paths,
            command=self._config.recovery.command,
            network=self._config.network.value,
            epoch=epoch,
            superseded=mode.only_watch,
            blocked=blocked,
        )

    async def _take_over(self) -> str:
        """Brings an older journal up to the newest recovery file. Why that failed, empty when it
        did not: the swaps that are here go on all the same, and the file is left as it is."""
        network = self._config.network.value
        content = await newest(self._config.recovery.paths, self._signer, network=network)
        if content is None:
            return ""
        try:
            await self.recover(content)
        except RecoveryError as error:
            log.critical("recovery.not_taken_over", reason=str(error))
            return f"the newest recovery file could not be taken over: {error}"
        return ""

    async def recover(self, content: Content, *, force: bool = False) -> Taken | None:
        """Takes a recovery file's swaps over where the journal knows less, or, with `force`, any
        that it lacks. Raises RecoveryError, StoreError."""
        now = self._clock.now()
        address_of = self._address_of
        taken = await take_over(content, self._store, address_of=address_of, now=now, force=force)
        if taken is not None:
            await self._store.put("meta", payouts.LIFE, str(content.generation).encode())
            for swap_id in taken.swaps:
                log.critical("recovery.taken_over", swap=swap_id.hex(), written=content.written_at)
        return taken

    def _address_of(self, asset: AssetId, index: int) -> str:
        chain = self._chains.get(asset)
        if chain is None:
            raise RecoveryError(f"the recovery file is about {asset}: configure its node first")
        return chain.address_of(self._signer.wallet_key(asset, index))

    def _towers(self) -> TowerSettings:
        towers = self._config.towers
        return TowerSettings(
            claims=tuple(TowerAddress.of(text) for text in towers.claims),
            refunds=tuple(TowerAddress.of(text) for text in towers.refunds),
            required=towers.required,
            max_fee_percent=towers.max_fee_percent,
        )


def _is_drained(mode: Mode, swaps: Swaps, ledger: Reservations) -> bool:
    """Nothing is open, nor about to be: a take counts as negotiated until its swap runs."""
    return mode.draining and not swaps.open() and not ledger.negotiating()
