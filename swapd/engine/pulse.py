"""Each node's pulse: what it said last, how long it took, what its wallet holds.

Owns: one sample per chain, renewed again and again. Must not know: alarms, metrics; both read here,
so that however many look, each node is asked once.
"""

from typing import Final

import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from protocol.assets import AssetId
from swapd.engine.world import World
from swapd.ports import Chain, ChainError, ChainStatus, WalletBalance

LOOK_SECONDS: Final = 10.0
WALLET_SECONDS: Final = 60.0
"""The wallet's coins are asked for less often: a large wallet takes a while."""

log = structlog.get_logger("pulse")


class Sample(Struct, frozen=True):
    """One node. `latency` in seconds, of the last answer; `failing_since` and `at` in unix seconds;
    `error` is empty while it answers; `status` is the last one that it gave."""

    ticker: str
    asset: AssetId
    at: int
    latency: float
    status: ChainStatus | None = None
    balance: WalletBalance | None = None
    error: str = ""
    failing_since: int = 0
    wallet_error: str = ""


class Pulse:
    """`run` must be running; `samples` holds a chain from its first answer or failure on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.samples: dict[AssetId, Sample] = {}

    def all(self) -> tuple[Sample, ...]:
        """One of each chain that was asked."""
        return tuple(self.samples.values())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Asks every node for ever; one that hangs holds up no other."""
        async with trio.open_nursery() as nursery:
            for asset, chain in self._world.chains.items():
                nursery.start_soon(self._follow, asset, chain)
            task_status.started()

    async def _follow(self, asset: AssetId, chain: Chain) -> None:
        asked = -WALLET_SECONDS
        while True:
            await self.look(asset, chain)
            if trio.current_time() - asked >= WALLET_SECONDS:
                asked = trio.current_time()
                await self.count(asset, chain)
            await trio.sleep(LOOK_SECONDS)

    async def look(self, asset: AssetId, chain: Chain) -> None:
        """Asks a node how it is."""
        last = self._last(asset, chain)
        status, error = last.status, ""
        began = trio.current_time()
        try:
            status = await chain.status()
        except ChainError as failure:
            error = str(failure) or "no answer"
        except Exception as failure:
            error = repr(failure)
            log.exception("pulse.failed", chain=chain.ticker)
        now = self._world.clock.now()
        failing = (last.failing_since or now) if error else 0
        self.samples[asset] = Sample(
            ticker=chain.ticker,
            asset=asset,
            at=now,
            latency=trio.current_time() - began,
            status=status,
            balance=last.balance,
            error=error,
            failing_since=failing,
            wallet_error=last.wallet_error,
        )

    async def count(self, asset: AssetId, chain: Chain) -> None:
        """Asks a node what its wallet holds."""
        last = self._last(asset, chain)
        balance, error = last.balance, ""
        try:
            balance = await chain.balance()
        except ChainError as failure:
            error = str(failure) or "no answer"
        except Exception as failure:
            error = repr(failure)
            log.exception("pulse.failed", chain=chain.ticker)
        self.samples[asset] = replace(last, balance=balance, wallet_error=error)

    def _last(self, asset: AssetId, chain: Chain) -> Sample:
        found = self.samples.get(asset)
        return found or Sample(chain.ticker, asset, self._world.clock.now(), 0.0)
