"""What both ends of a take do alike: look at the chains, set up our side, wait for a message.

Owns: those steps. Must not know: which end we are, message order (protocol.negotiation).
"""

from dataclasses import dataclass

import trio

from protocol.assets import AssetId
from protocol.errors import Refusal, RemoteProtocolError
from protocol.limits import TAKE_STEP_SECONDS
from protocol.negotiation.checks import Side
from protocol.offers import Offer
from protocol.terms import PinnedBlock
from swapd.engine.world import World
from swapd.ports import Chain, ChainStatus, Channel, ChannelClosed

DEEPER_BLOCKS = 12
"""Read once, as a swap begins: about a second on a mainnet."""

CHAIN_SECONDS = 15
"""A node that takes longer over one question of a negotiation is not ready for a swap."""


@dataclass(frozen=True)
class Pair:
    """Both chains of a take as our nodes see them now."""

    chain_i: Chain
    chain_p: Chain
    status_i: ChainStatus
    status_p: ChainStatus
    side: Side


def chain_for(world: World, asset: AssetId) -> Chain:
    """Our connection for `asset`. Raises RemoteProtocolError (unsupported_asset)."""
    try:
        return world.chains[asset]
    except KeyError:
        detail = f"{asset} is not swapped here"
        raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail) from None


async def _status(chain: Chain) -> ChainStatus:
    status = await chain.status()
    if status.problems or not status.synced:
        reason = "; ".join(status.problems) or "it is not synced"
        detail = f"the {chain.ticker} node is not ready: {reason}"
        raise RemoteProtocolError(Refusal.NODE_NOT_READY, detail)
    return status


async def look(world: World, offer: Offer) -> Pair:
    """Our view of both chains of `offer`, and what we insist on there.

    Raises RemoteProtocolError: unsupported_asset, node_not_ready; ChainError.
    """
    chain_i, chain_p = chain_for(world, offer.buy), chain_for(world, offer.sell)
    try:
        with trio.fail_after(CHAIN_SECONDS):
            status_i, status_p = await _status(chain_i), await _status(chain_p)
            pinned_i, pinned_p = await chain_i.pinned(), await chain_p.pinned()
    except trio.TooSlowError:
        detail = "a node answers too slowly"
        raise RemoteProtocolError(Refusal.NODE_NOT_READY, detail) from None
    policy = world.policy
    side = Side(
        timing=policy.timing,
        exposure=policy.exposure,
        pinned_i=pinned_i,
        pinned_p=pinned_p,
        stress_fee_rate_i=policy.stress(offer.buy),
        stress_fee_rate_p=policy.stress(offer.sell),
        depth_factor=policy.depth_factor,
        floor_i=policy.limits(offer.buy).depth or 1,
        floor_p=policy.limits(offer.sell).depth or 1,
        pace_i=policy.pace(offer.buy),
        pace_p=policy.pace(offer.sell),
    )
    return Pair(chain_i, chain_p, status_i, status_p, side)


def require_may_begin(world: World) -> None:
    """Asked when a take begins, and again before it becomes a swap. Raises RemoteProtocolError
    (shutting_down)."""
    reason = world.mode.may_begin()
    if reason:
        raise RemoteProtocolError(Refusal.SHUTTING_DOWN, reason)


async def check_same_chains(pair: Pair, pinned_i: PinnedBlock, pinned_p: PinnedBlock) -> None:
    """Raises RemoteProtocolError (wrong_chain) unless both blocks are in our best chains."""
    for chain, pinned in ((pair.chain_i, pinned_i), (pair.chain_p, pinned_p)):
        if not await chain.has_block(pinned):
            detail = f"block {pinned.height} is not in our {chain.ticker} chain: a fork?"
            raise RemoteProtocolError(Refusal.WRONG_CHAIN, detail)


async def hear(channel: Channel) -> bytes:
    """The next message. Raises ChannelClosed, also when none comes in time."""
    with trio.move_on_after(TAKE_STEP_SECONDS):
        return await channel.receive()
    raise ChannelClosed(f"no message within {TAKE_STEP_SECONDS} s")


def start_height(status: ChainStatus, depth: int) -> int:
    """From where to look for a lock that can't exist yet: a reorganisation may put it lower than
    the tip we saw. One deeper than `depth` breaks what a lock is trusted by, but whoever has locked
    must still find his lock, to take it back."""
    return max(0, status.height - depth - DEEPER_BLOCKS)
