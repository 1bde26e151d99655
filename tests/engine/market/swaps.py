"""Swaps of ours in the least detail that our offers look at."""

from typing import Any

import trio
from msgspec.structs import replace

from protocol.amounts import Amount, Units
from protocol.assets import AssetId
from protocol.signing import Signature
from protocol.swap.agreement import Agreement
from protocol.swap.machine import begin
from protocol.swap.states import End, Outcome, SwapState
from protocol.terms import Kind, LegTerms, PinnedBlock, Role, Terms
from tests.engine.market.stage import BTC, LTC, POLICY, Node


def swap(number: int) -> bytes:
    return bytes([number]) * 32


def leg(asset: AssetId, units: int) -> LegTerms:
    pinned = PinnedBlock(0, bytes(32))
    amount = Amount(asset, Units(units))
    return LegTerms(Kind.P2WSH, amount, bytes(33), bytes(33), 1_900_000_000, 3, pinned)


def state(node: Node, name: bytes, swap_id: bytes, units: int, end: End | None = None) -> SwapState:
    """A swap of ours as the participant, that took `units` from the offer `name`."""
    key = node.world.signer.maker_key()
    terms = Terms(
        1, swap_id, name, key, key, bytes(32), 1_800_000_000, POLICY.timing, POLICY.exposure,
        POLICY.exposure, leg(BTC, units // 75), leg(LTC, units), 1000,
    )  # fmt: skip
    nothing = Signature(bytes(64))
    agreement = Agreement(
        terms, Role.PARTICIPANT, nothing, nothing, bytes(32), "", "", 0, 0, "taker", 0
    )
    outcome = None if end is None else Outcome(end, "", 0)
    return replace(begin(agreement), outcome=outcome)


def journal(states: dict[bytes, SwapState]) -> Any:
    async def lookup(swap_id: bytes) -> tuple[SwapState, int, int] | None:
        await trio.lowlevel.checkpoint()
        return (states[swap_id], 0, 0) if swap_id in states else None

    return lookup
