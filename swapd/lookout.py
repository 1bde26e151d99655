"""The lookout of one daemon: alarms and figures, from the resume of its swaps to its end.

Owns: which sources look, who is told, and that a lookout that fails never touches a swap.
Must not know: what an alarm means, how figures are made.
"""

from collections.abc import Callable

import prometheus_client
import trio

from protocol.assets import AssetId
from swapd.alarms.board import Board
from swapd.alarms.hook import Hook
from swapd.alarms.sources.chains import ChainAlarms
from swapd.alarms.sources.host import DiskAlarms, ModeAlarms, NetworkAlarms
from swapd.alarms.sources.recovery import RecoveryAlarms
from swapd.alarms.sources.swaps import SwapAlarms
from swapd.api.events import EventLog
from swapd.config import Config
from swapd.engine.operations.alarms import AlarmPump
from swapd.engine.pulse import Pulse
from swapd.engine.swaps import Swaps
from swapd.engine.world import World
from swapd.metrics.figures import Figures
from swapd.metrics.server import serve


class Lookout:
    """`events` takes what the board tells. `board.add` takes more sources at any time."""

    def __init__(
        self,
        config: Config,
        world: World,
        swaps: Swaps,
        events: EventLog,
        *,
        version: str,
        promised: Callable[[AssetId], int],
        offers: Callable[[], tuple[int, int]],
    ) -> None:
        self._config = config
        self.events = events
        self.pulse = Pulse(world)
        self.board = Board(world.clock)
        self._hook = Hook(config.alarm_command, network=config.network.value)
        swap_alarms = SwapAlarms(swaps, world.clock)
        chain_alarms = ChainAlarms(
            self.pulse,
            swaps,
            world.clock,
            promised,
            blocks_come=config.network.value != "regtest",
        )
        self.board.add(
            swap_alarms.deadlines,
            swap_alarms.trouble,
            chain_alarms.nodes,
            chain_alarms.wallets,
            chain_alarms.clock,
            DiskAlarms(config.paths.root, world.store).look,
            ModeAlarms(world.mode).look,
            self._hook.source,
        )
        if not world.mode.locked:
            self.board.add(RecoveryAlarms(world.recovery.status).look)
        if config.pairs and not world.mode.locked:
            self.board.add(NetworkAlarms(world.peers, lambda: offers()[0] > 0).look)
        self.board.listen(AlarmPump(events).follow)
        self.board.listen(self._hook.follow)
        self._registry = prometheus_client.CollectorRegistry(auto_describe=False)
        self._registry.register(
            Figures(
                world=world,
                swaps=swaps,
                pulse=self.pulse,
                board=self.board,
                offers=offers,
                folder=config.paths.root,
                version=version,
                network=config.network.value,
            )
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Raises ListenError where the figures can't be served."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.pulse.run)
            await nursery.start(self.board.run)
            await nursery.start(self._hook.run)
            metrics = self._config.metrics
            if metrics is not None:
                await nursery.start(serve, metrics.host, metrics.port, self._render)
            task_status.started()

    def _render(self) -> bytes:
        return prometheus_client.generate_latest(self._registry)
