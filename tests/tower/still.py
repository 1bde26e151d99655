"""Owns a chain that shows just what a test puts there, behind the few calls that a tower makes."""

import trio

from protocol.assets import AssetId
from protocol.bitcoin.params import ChainParams
from protocol.swap.facts import ChainView
from protocol.terms import PinnedBlock
from swapd.ports import Broadcast, BroadcastResult, ChainStatus, LegWatch, NodeUnreachable


class StillChain:
    """One chain. `shown` is what every watch sees; `down`: the node does not answer; `forked`: no
    pinned block is known; `sent` is what was broadcast, in order."""

    def __init__(self, params: ChainParams, shown: ChainView) -> None:
        self.params = params
        self.chain, self.asset = params.chain_id, AssetId(params.asset_id)
        self.ticker, self.decimals = params.ticker, params.decimals
        self.shown = shown
        self.down = self.forked = False
        self.sent: list[bytes] = []
        self.watches: dict[str, LegWatch] = {}
        self.rejects = ""
        self._count = 0
        self._changed = trio.Event()

    def show(self, view: ChainView) -> None:
        """The chain moves on."""
        self.shown = view
        self._count += 1
        self._changed.set()
        self._changed = trio.Event()

    def change_count(self) -> int:
        return self._count

    async def wait_change(self, seen: int) -> int:
        while self._count == seen:
            await self._changed.wait()
        return self._count

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise NodeUnreachable("the still chain is down")

    async def status(self) -> ChainStatus:
        await self._answer()
        view = self.shown
        return ChainStatus(
            chain=self.chain,
            asset=self.asset,
            ticker=self.ticker,
            decimals=self.decimals,
            height=view.tip_height,
            tip_hash=view.tip_hash,
            tip_time=view.tip_time,
            median_time=view.median_time,
            peers=8,
            version="still",
            synced=True,
            pruned=False,
            problems=(),
            fee_next=view.fee_next,
            fee_floor=view.fee_floor,
        )

    def watch(self, watch: LegWatch) -> None:
        self.watches[watch.watch_id] = watch

    def unwatch(self, watch_id: str) -> None:
        self.watches.pop(watch_id, None)

    async def view(self, watch_id: str) -> ChainView:
        await self._answer()
        assert watch_id in self.watches
        return self.shown

    async def has_block(self, pinned: PinnedBlock) -> bool:
        await self._answer()
        return not self.forked and pinned.height >= 0

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        await self._answer()
        self.sent.append(raw)
        if self.rejects:
            return BroadcastResult(Broadcast.REJECTED, self.rejects)
        return BroadcastResult(Broadcast.ACCEPTED)
